//! Streams: one stream, its state machine, and the table of all open ones.

mod queue;
mod state;
mod table;

pub(crate) use queue::{Queue, Trailers};
pub(crate) use state::State;
pub(crate) use table::StreamTable;

use alloc::boxed::Box;

use crate::flow::{ReceiveWindow, Window};

/// Key of an open stream. `slot` is small and reused: use it as an index into a vector of your own.
/// `id` is the identifier on the wire and is never reused, so a stale key is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Index in the stream table, below the largest number of streams open at once.
    pub slot: u32,
    /// Stream identifier (RFC 9113 §5.1.1).
    pub id: u32,
}

impl StreamKey {
    /// Returns the key as one number, to pass through code that does not know about streams.
    pub const fn to_token(self) -> u64 {
        (self.slot as u64) << 32 | self.id as u64
    }

    /// Returns the key from a number that [`StreamKey::to_token`] made.
    pub const fn from_token(token: u64) -> Self {
        Self {
            slot: (token >> 32) as u32,
            id: token as u32,
        }
    }
}

/// State of an open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// Number of streams of the connection when this one was opened, including it, modulo 2^32.
    pub(crate) number: u32,
    pub(crate) state: State,
    /// True once the peer's message head has arrived, so that the next HEADERS are trailers.
    pub(crate) head_received: bool,
    /// True if the stream is in the connection's list of streams with bytes to send.
    pub(crate) listed: bool,
    /// Number of body bytes delivered and not released.
    pub(crate) held: usize,
    /// Unused bytes of the receive window beyond the ordinary window.
    pub(crate) extra: u32,
    /// Number of bytes that the reader waits for and the window does not admit; 0 for none.
    pub(crate) wants: u32,
    pub(crate) send_window: Window,
    pub(crate) receive_window: ReceiveWindow,
    /// Number of body bytes that content-length still announces, if it was given (RFC 9113 §8.1.1).
    pub(crate) content_left: Option<u64>,
    /// Output that waits for a window.
    pub(crate) queue: Option<Box<Queue>>,
}

impl Stream {
    /// Returns `true` if bytes are queued and may be sent, but the stream is not in the list of
    /// senders.
    pub(crate) fn wants_turn(&self) -> bool {
        self.queue.is_some() && !self.listed && self.send_window.available() > 0
    }
}
