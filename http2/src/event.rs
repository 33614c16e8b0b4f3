//! Events that [`crate::Connection::receive`] reports.

use crate::error::ErrorCode;
use crate::stream::StreamKey;

/// Header block of an event: new, or equal to one that was reported before.
///
/// gRPC callers repeat the same header block for each call, so its meaning can be remembered. A
/// block that neither changed the decoder's table nor exceeded the memo is reported once as `New {
/// memo: Some(m) }`. The caller stores its interpretation of the block under `m` and uses it again
/// at each `Seen { memo: m }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A new block, whose fields are in [`crate::Connection::headers`]. Store their meaning under
    /// `memo`, if any.
    New {
        /// Memo slot, below [`crate::MEMO_SLOTS`], that identifies this block from now on.
        memo: Option<u8>,
    },
    /// A block equal to the last one reported as new for this slot; its fields are not decoded.
    Seen {
        /// Memo slot of the block.
        memo: u8,
    },
}

/// One event on the connection. Bytes borrow from the input, so nothing is copied to report it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A request head (server) or the final response head (client).
    Headers {
        /// Stream of the event; on a server it is new.
        stream: StreamKey,
        /// Header block, new or seen before.
        block: Block,
        /// True if nothing follows on this stream.
        end_stream: bool,
    },
    /// The trailing field section, which always ends the stream.
    Trailers {
        /// Stream of the event.
        stream: StreamKey,
        /// Header block, new or seen before.
        block: Block,
    },
    /// A piece of the body. Pieces follow frames and reads, so their boundaries have no meaning.
    /// Return the credit with [`crate::Connection::release`] once the bytes are consumed.
    Data {
        /// Stream of the event.
        stream: StreamKey,
        /// Body bytes, possibly none.
        bytes: &'a [u8],
        /// True if nothing follows on this stream.
        end_stream: bool,
    },
    /// The stream was reset: by the peer, or by this end after a fault of the peer.
    Reset {
        /// Stream that was reset.
        stream: StreamKey,
        /// Error code of the RST_STREAM frame.
        code: ErrorCode,
        /// True if this end sent the RST_STREAM.
        local: bool,
    },
    /// The peer will process no local stream above `last`; streams above it may be retried
    /// elsewhere.
    GoAway {
        /// Highest local stream that the peer may still process.
        last: u32,
        /// Error code of the GOAWAY frame.
        code: ErrorCode,
    },
    /// The peer sent SETTINGS: limits on opening streams may have changed.
    SettingsChanged,
    /// The peer acknowledged one of our PINGs, which had this payload.
    PingAck(u64),
}
