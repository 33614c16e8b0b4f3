//! Who watches a call from beside it: messages by their size, and the end.

use std::time::Duration;

use crate::Status;

/// The size of one message, without its five-byte prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageBytes {
    /// Bytes as encoded, before compression or after it was undone.
    pub plain: usize,
    /// Bytes as they travel; fewer than `plain` when the message is compressed.
    pub wire: usize,
}

impl MessageBytes {
    /// A message that travels as it was encoded.
    pub const fn uncompressed(bytes: usize) -> Self {
        Self {
            plain: bytes,
            wire: bytes,
        }
    }
}

/// Hears what happens in calls, on a server or a client. One may watch a single call, or count
/// for many: it is attached to each call as that starts, which is the first that it learns.
///
/// It is told in the middle of things, so it must not wait, and not call into the call.
pub trait CallObserver {
    /// A message came from the peer: on a server a request, on a client a response. Of a stream it
    /// is told when the message is read, not when it arrives.
    fn received(&self, message: MessageBytes) {
        let _ = message;
    }

    /// A message was handed to the connection.
    fn sent(&self, message: MessageBytes) {
        let _ = message;
    }

    /// The call has ended, `elapsed` after it started; CANCELLED when it was given up before. On a
    /// client a stream ends when its reader has read the end, or was dropped.
    fn ended(&self, outcome: Result<(), &Status>, elapsed: Duration) {
        let _ = (outcome, elapsed);
    }
}
