//! The nine bytes before each frame (RFC 9113 §4.1).

/// Length of a frame head, in bytes.
pub(crate) const HEAD_BYTES: usize = 9;

/// Frame types (RFC 9113 §6). Other types are ignored, as §5.5 demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Unknown,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Data,
        Self::Headers,
        Self::Priority,
        Self::RstStream,
        Self::Settings,
        Self::PushPromise,
        Self::Ping,
        Self::GoAway,
        Self::WindowUpdate,
        Self::Continuation,
    ];

    fn of(byte: u8) -> Self {
        Self::ALL
            .get(usize::from(byte))
            .copied()
            .unwrap_or(Self::Unknown)
    }
}

/// Frame flags.
pub(crate) mod flag {
    /// Sender ends the stream (DATA, HEADERS).
    pub(crate) const END_STREAM: u8 = 0x1;
    /// Frame is an acknowledgement (SETTINGS, PING).
    pub(crate) const ACK: u8 = 0x1;
    /// Header block ends with this frame (HEADERS, CONTINUATION).
    pub(crate) const END_HEADERS: u8 = 0x4;
    /// Payload starts with a pad length (DATA, HEADERS).
    pub(crate) const PADDED: u8 = 0x8;
    /// Payload has five bytes of priority before the block (HEADERS).
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// A parsed frame head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) len: usize,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// Stream identifier, without the reserved bit.
    pub(crate) stream: u32,
}

impl FrameHead {
    pub(crate) fn parse(bytes: &[u8; HEAD_BYTES]) -> Self {
        Self {
            len: u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize,
            kind: Kind::of(bytes[3]),
            flags: bytes[4],
            stream: u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]) & 0x7fff_ffff,
        }
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
