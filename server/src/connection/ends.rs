//! Log lines about connections that were closed for a fault of their peer.

use std::time::Duration;

use corespun_http2::{Cause, ConnectionError};

use super::Connection;

impl Connection {
    /// Logs the reason why the connection ends, at `warn`, a few times a second at most. A peer
    /// that never spoke HTTP/2 is a scanner or a probe: it is logged at `debug`.
    #[cold]
    pub(super) fn tell_end(&self, now: Duration, error: &ConnectionError) {
        let peer = self.peer.as_deref().unwrap_or("a Unix peer");
        let reason = self.http2.reason(error);
        let code = error.code;
        if !self.http2.is_established() {
            tracing::debug!(peer, %code, reason, "closed a connection that does not speak HTTP/2");
            return;
        }
        let limit = match error.cause {
            Cause::LimitExceeded(limit) => limit.name(),
            Cause::PeerMisbehaved(_) | Cause::Compression(_) | Cause::OtherProtocol(_) => "none",
        };
        let throttle = self.limit_counts.as_deref().map(|counts| &counts.throttle);
        if let Some(left_out) = throttle.map_or(Some(0), |throttle| throttle.admit(now)) {
            tracing::warn!(
                peer,
                limit,
                reason,
                %code,
                left_out,
                "closed a connection for a fault of its peer"
            );
        }
    }
}
