//! Keepalive interval of a channel (gRFC A8).

use std::cell::Cell;
use std::time::Duration;

use corespun_http2::Keepalive;

use crate::config::Config;

/// Minimum interval between two PINGs of a client (gRFC A8).
const TIME_MIN: Duration = Duration::from_secs(10);

/// Keepalive time of a channel's connections; it doubles each time that a server answers
/// `too_many_pings`.
pub(crate) struct KeepaliveTime(Cell<Duration>);

impl KeepaliveTime {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Cell::new(config.keepalive_time.max(TIME_MIN)))
    }

    /// Returns the keepalive time of the next connection.
    pub(crate) fn now(&self) -> Duration {
        self.0.get()
    }

    /// Doubles the time, because a server has closed a connection with `too_many_pings`.
    pub(crate) fn double(&self) {
        let doubled = self.0.get().saturating_mul(2);
        tracing::warn!(time = ?doubled, "the server refused frequent PINGs: doubled the interval");
        self.0.set(doubled);
    }
}

/// Returns the keepalive of a connection with these settings.
pub(crate) fn of(config: &Config) -> Keepalive {
    Keepalive {
        time: config.keepalive_time.max(TIME_MIN),
        timeout: config.keepalive_timeout,
        without_streams: config.permit_without_stream,
    }
}
