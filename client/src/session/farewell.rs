//! Statuses of calls whose connection ends.

use corespun_codec::Status;
use corespun_http2::{Cause, ConnectionError};

use super::{Phase, Session};

impl Session {
    /// Returns the status of calls whose connection the server has closed or reset. It names the
    /// reason of the server's GOAWAY, if there was one.
    #[cold]
    pub(crate) fn lost(&self) -> Status {
        let how = match (self.farewell(), &self.phase) {
            (Some(farewell), _) => format!("the server ended it with {farewell}"),
            (None, Phase::Handshake(_)) => {
                "the server closed it ahead of its SETTINGS, so it may not speak HTTP/2 here".into()
            }
            (None, _) => "the server closed or reset it without GOAWAY".into(),
        };
        let peer = &self.peer;
        Status::unavailable(format!("the connection to {peer} was lost: {how}"))
    }

    /// Returns the status of calls whose connection failed because of the server's behaviour.
    #[cold]
    pub(super) fn broken(&self, error: &ConnectionError) -> Status {
        let (peer, reason) = (&self.peer, self.http2.reason(error));
        if let Cause::OtherProtocol(_) = error.cause {
            let start = String::from_utf8_lossy(self.http2.greeting());
            let text = format!("failed to connect to {peer}: {reason}; it began with {start:?}");
            return Status::unavailable(text);
        }
        let code = error.code;
        Status::unavailable(format!("the connection to {peer} ended: {code}: {reason}"))
    }

    /// Returns the status of a call that the server certainly has not processed, because it accepts
    /// no new ones.
    #[cold]
    pub(super) fn unseen(&self) -> Status {
        let reason = self.farewell().unwrap_or_default();
        let peer = &self.peer;
        Status::unavailable(format!("{peer} has not processed the call: {reason}"))
    }

    /// Returns the status for a request of a connection that accepts no new calls.
    #[cold]
    pub(super) fn leaving(&self) -> Status {
        let reason = self.farewell().map(|farewell| format!(": {farewell}"));
        let (peer, reason) = (&self.peer, reason.unwrap_or_default());
        Status::unavailable(format!(
            "{peer} accepts no new calls on this connection{reason}"
        ))
    }

    /// Returns the server's latest GOAWAY: its code, and its debug data as text.
    fn farewell(&self) -> Option<String> {
        let (code, debug) = self.http2.peer_go_away()?;
        Some(match debug {
            [] => format!("GOAWAY {code}"),
            _ => format!("GOAWAY {code}: {:?}", String::from_utf8_lossy(debug)),
        })
    }
}
