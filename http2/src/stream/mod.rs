//! One stream, its state machine and the table of all.

mod queue;
mod state;
mod table;

pub(crate) use queue::{Queue, Trailers};
pub(crate) use state::State;
pub(crate) use table::StreamTable;

use alloc::boxed::Box;

use crate::flow::{ReceiveWindow, Window};

/// Names an open stream. `slot` is small and reused: index a vector of your own with it. `id` is
/// the identifier on the wire and is never reused, so a stale key is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Place in the stream table, below the number of streams open at once.
    pub slot: u32,
    /// Stream identifier (RFC 9113 §5.1.1).
    pub id: u32,
}

impl StreamKey {
    /// The key as one number, to be handed through code that knows nothing of streams.
    pub const fn to_token(self) -> u64 {
        (self.slot as u64) << 32 | self.id as u64
    }

    /// The key of a number that [`StreamKey::to_token`] made.
    pub const fn from_token(token: u64) -> Self {
        Self {
            slot: (token >> 32) as u32,
            id: token as u32,
        }
    }
}

/// What the connection knows of an open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// Streams that the connection had seen when this one was opened, itself included, modulo 2^32.
    pub(crate) number: u32,
    pub(crate) state: State,
    /// The peer's message head has come, so the next HEADERS are trailers.
    pub(crate) head_received: bool,
    /// This stream stands in the connection's list of streams with bytes to send.
    pub(crate) listed: bool,
    /// Body bytes handed out and not released.
    pub(crate) held: usize,
    /// Bytes of the receive window beyond the ordinary one that the peer has not used.
    pub(crate) extra: u32,
    /// Bytes that the reader waits for and the window does not admit; 0 for none.
    pub(crate) wants: u32,
    pub(crate) send_window: Window,
    pub(crate) receive_window: ReceiveWindow,
    /// Bytes that content-length still promises, if it was given (RFC 9113 §8.1.1).
    pub(crate) content_left: Option<u64>,
    /// What the windows have refused so far.
    pub(crate) queue: Option<Box<Queue>>,
}

impl Stream {
    /// Bytes are queued and may go out, but the stream does not stand in line yet.
    pub(crate) fn wants_turn(&self) -> bool {
        self.queue.is_some() && !self.listed && self.send_window.available() > 0
    }
}
