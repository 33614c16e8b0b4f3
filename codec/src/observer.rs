//! Observers of calls: callbacks for each message and for the end.

use std::time::Duration;

use crate::Status;

/// Size of one message, without its five-byte prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageBytes {
    /// Size in bytes before compression.
    pub plain: usize,
    /// Size in bytes on the wire; less than `plain` if the message is compressed.
    pub wire: usize,
}

impl MessageBytes {
    /// Returns the size of a message that is not compressed.
    pub const fn uncompressed(bytes: usize) -> Self {
        Self {
            plain: bytes,
            wire: bytes,
        }
    }
}

/// Observer of calls, on a server or a client. An observer may be for a single call, or count for
/// many: it is attached to each call as the call starts.
///
/// Its methods run inside the processing of the call, so they must not wait and must not use the
/// call.
pub trait CallObserver {
    /// Called for each message from the peer: a request on a server, a response on a client. In a
    /// stream it is called when the message is read, not when it arrives.
    fn received(&self, message: MessageBytes) {
        let _ = message;
    }

    /// Called for each message that is passed to the connection.
    fn sent(&self, message: MessageBytes) {
        let _ = message;
    }

    /// Called when the call has ended, `elapsed` after it started; with CANCELLED if it was dropped
    /// before. On a client a stream ends when its reader has read the end, or was dropped.
    fn ended(&self, outcome: Result<(), &Status>, elapsed: Duration) {
        let _ = (outcome, elapsed);
    }
}
