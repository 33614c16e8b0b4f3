//! Errors by cause: a rule that the peer broke, a limit that it exceeded, or a local call that
//! cannot be carried out.

use core::fmt;

use crate::hpack::HpackError;
use crate::limits::Limit;

/// An HTTP/2 error code (RFC 9113 §7). Codes that RFC 9113 does not define are kept as received.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Graceful end.
    pub const NO_ERROR: Self = Self(0x0);
    /// Protocol violation without a more specific code.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The endpoint failed through no fault of its peer.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// The peer exceeded a flow-control window or made it overflow.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// SETTINGS were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came on a half-closed or closed stream.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame has a size that its type does not allow.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was refused before any processing: safe to retry.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is no longer needed.
    pub const CANCEL: Self = Self(0x8);
    /// The HPACK state cannot be maintained.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection behind a CONNECT tunnel was lost.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer causes too much load.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The transport is not secure enough.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 is required.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// Returns the name from RFC 9113 §7, or `UNKNOWN`.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        if (self.0 as usize) < NAMES.len() {
            NAMES[self.0 as usize]
        } else {
            "UNKNOWN"
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#x})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Cause of a connection error: the rule or limit that was broken, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The peer broke a rule; the text names it and its section of RFC 9113.
    PeerMisbehaved(&'static str),
    /// The peer exceeded one of our limits.
    LimitExceeded(Limit),
    /// The header compression state became invalid (RFC 7541).
    Compression(HpackError),
    /// The first bytes of the server are not HTTP/2; [`crate::Connection::greeting`] has them.
    OtherProtocol(OtherProtocol),
}

/// Protocol that a server speaks instead of HTTP/2, recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherProtocol {
    /// HTTP/1.0 or HTTP/1.1: `HTTP/1.`.
    Http1,
    /// A TLS alert or handshake record (RFC 8446 §5.1): the port of a TLS server.
    Tls,
    /// Any other bytes that cannot begin an HTTP/2 frame.
    Unknown,
}

impl fmt::Display for OtherProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "the server speaks HTTP/1, not HTTP/2",
            Self::Tls => "the server speaks TLS, and this connection does not",
            Self::Unknown => "the server does not speak HTTP/2",
        })
    }
}

/// Error that ends the connection. GOAWAY with `code` is already in the output: transmit it, then
/// close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    /// Error code in the GOAWAY frame.
    pub code: ErrorCode,
    /// Cause of the error.
    pub cause: Cause,
}

impl ConnectionError {
    pub(crate) const fn peer(code: ErrorCode, rule: &'static str) -> Self {
        Self {
            code,
            cause: Cause::PeerMisbehaved(rule),
        }
    }

    pub(crate) const fn protocol(rule: &'static str) -> Self {
        Self::peer(ErrorCode::PROTOCOL_ERROR, rule)
    }

    pub(crate) const fn frame_size(rule: &'static str) -> Self {
        Self::peer(ErrorCode::FRAME_SIZE_ERROR, rule)
    }

    pub(crate) const fn flow_control(rule: &'static str) -> Self {
        Self::peer(ErrorCode::FLOW_CONTROL_ERROR, rule)
    }

    pub(crate) const fn other_protocol(protocol: OtherProtocol) -> Self {
        Self {
            code: ErrorCode::PROTOCOL_ERROR,
            cause: Cause::OtherProtocol(protocol),
        }
    }

    pub(crate) const fn limit(limit: Limit) -> Self {
        Self {
            code: limit.code(),
            cause: Cause::LimitExceeded(limit),
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to continue the HTTP/2 connection: {}: ",
            self.code
        )?;
        match self.cause {
            Cause::PeerMisbehaved(rule) => f.write_str(rule),
            Cause::LimitExceeded(limit) => write!(f, "the peer exceeded {limit}"),
            Cause::Compression(error) => error.fmt(f),
            Cause::OtherProtocol(protocol) => protocol.fmt(f),
        }
    }
}

impl core::error::Error for ConnectionError {}

/// Reason that a stream cannot be opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The peer's SETTINGS_MAX_CONCURRENT_STREAMS is reached: wait for a stream to end.
    AtPeerLimit,
    /// GOAWAY was sent or received: use another connection.
    GoingAway,
    /// Stream identifiers are used up (RFC 9113 §5.1.1): use another connection.
    IdsExhausted,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtPeerLimit => "failed to open a stream: the peer's limit is reached",
            Self::GoingAway => "failed to open a stream: the connection is going away",
            Self::IdsExhausted => "failed to open a stream: identifiers are used up",
        })
    }
}

impl core::error::Error for OpenError {}
