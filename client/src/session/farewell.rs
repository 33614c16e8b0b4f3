//! The end of a connection in words: the status that its calls end with.

use corespun_codec::Status;
use corespun_http2::{Cause, ConnectionError};

use super::{Phase, Session};

impl Session {
    /// Status of calls whose connection the server has closed or reset. It names the reason of the
    /// server's GOAWAY, if there was one.
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

    /// Status of calls whose connection cannot go on because of what the server did.
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

    /// Status of a call that the server certainly has not seen, since it takes no new ones.
    #[cold]
    pub(super) fn unseen(&self) -> Status {
        let reason = self.farewell().unwrap_or_default();
        let peer = &self.peer;
        Status::unavailable(format!("{peer} has not seen the call: {reason}"))
    }

    /// Status for those who ask for a connection that takes no new calls.
    #[cold]
    pub(super) fn leaving(&self) -> Status {
        let reason = self.farewell().map(|farewell| format!(": {farewell}"));
        let (peer, reason) = (&self.peer, reason.unwrap_or_default());
        Status::unavailable(format!(
            "{peer} takes no new calls on this connection{reason}"
        ))
    }

    /// The server's latest GOAWAY: its code, and its debug data as text.
    fn farewell(&self) -> Option<String> {
        let (code, debug) = self.http2.peer_go_away()?;
        Some(match debug {
            [] => format!("GOAWAY {code}"),
            _ => format!("GOAWAY {code}: {:?}", String::from_utf8_lossy(debug)),
        })
    }
}
