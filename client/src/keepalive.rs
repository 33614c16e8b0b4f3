//! How often a channel asks a silent server whether it is still there (gRFC A8).

use std::cell::Cell;
use std::time::Duration;

use corespun_http2::Keepalive;

use crate::config::Config;

/// The least that a client may wait between two PINGs (gRFC A8).
const TIME_MIN: Duration = Duration::from_secs(10);

/// The keepalive time of a channel's connections: it doubles whenever a server has complained.
pub(crate) struct KeepaliveTime(Cell<Duration>);

impl KeepaliveTime {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Cell::new(config.keepalive_time.max(TIME_MIN)))
    }

    /// What holds for the next connection.
    pub(crate) fn now(&self) -> Duration {
        self.0.get()
    }

    /// A server has ended a connection with `too_many_pings`.
    pub(crate) fn double(&self) {
        let doubled = self.0.get().saturating_mul(2);
        tracing::warn!(time = ?doubled, "the server found our PINGs too many: fewer from now on");
        self.0.set(doubled);
    }
}

/// What a connection with these settings does.
pub(crate) fn of(config: &Config) -> Keepalive {
    Keepalive {
        time: config.keepalive_time.max(TIME_MIN),
        timeout: config.keepalive_timeout,
        without_streams: config.permit_without_stream,
    }
}
