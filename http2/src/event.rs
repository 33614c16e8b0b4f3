//! What [`crate::Connection::receive`] reports.

use crate::error::ErrorCode;
use crate::stream::StreamKey;

/// Whether a header block has been seen before, so that its meaning can be remembered.
///
/// gRPC callers repeat the very same block for each call. When a block neither changed the
/// decoder's table nor exceeded the memo, it is reported once as `New { memo: Some(m) }`; the
/// caller keeps what it made of it under `m` and takes it again at each `Seen { memo: m }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// [`crate::Connection::headers`] holds the fields. Keep what they mean under `memo`, if any.
    New {
        /// The memo slot, below [`crate::MEMO_SLOTS`], that stands for this block from now on.
        memo: Option<u8>,
    },
    /// The same block as when this slot was last reported as new; the fields are not decoded.
    Seen {
        /// The memo slot.
        memo: u8,
    },
}

/// One fact about the connection. Bytes borrow from the input, so nothing is copied to report it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A request head (server) or the final response head (client).
    Headers {
        /// The stream, new on a server.
        stream: StreamKey,
        /// Where the fields are.
        block: Block,
        /// Nothing follows on this stream.
        end_stream: bool,
    },
    /// The trailing field section; it always ends the stream.
    Trailers {
        /// The stream.
        stream: StreamKey,
        /// Where the fields are.
        block: Block,
    },
    /// A piece of the body. Its edges are those of frames and reads: they mean nothing.
    /// Give the credit back with [`crate::Connection::release`] once the bytes are consumed.
    Data {
        /// The stream.
        stream: StreamKey,
        /// The bytes, possibly none.
        bytes: &'a [u8],
        /// Nothing follows on this stream.
        end_stream: bool,
    },
    /// The stream is gone: by the peer's RST_STREAM, or by ours after the peer's fault.
    Reset {
        /// The stream that was.
        stream: StreamKey,
        /// The code of RST_STREAM.
        code: ErrorCode,
        /// True when we sent it.
        local: bool,
    },
    /// The peer will process no local stream above `last`; those above may be retried elsewhere.
    GoAway {
        /// The highest local stream that the peer may still process.
        last: u32,
        /// The reason.
        code: ErrorCode,
    },
    /// The peer's SETTINGS came: limits on opening streams may have changed.
    SettingsChanged,
    /// The peer acknowledged a PING of ours with this payload.
    PingAck(u64),
}
