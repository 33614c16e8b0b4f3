//! Responses that an attacker receives, and the verdict on them.

use std::fmt::{self, Display};

use corespun_http2::ErrorCode;

/// Response of the server to an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The connection ends with GOAWAY of this code.
    GoAway(ErrorCode),
    /// Streams end with RST_STREAM of this code; the connection stays open.
    Reset(ErrorCode),
    /// Calls end with this gRPC status; the connection stays open.
    Status(u16),
    /// Requests are answered with this HTTP status; the connection stays open.
    Http(u16),
    /// The socket is closed without a frame that names an error.
    Closed,
    /// The server stops reading until the attacker reads.
    Throttled,
    /// The requests are valid, and are served within the limits.
    Served,
}

/// Response to a peer that exceeds a budget.
pub const CALM: Answer = Answer::GoAway(ErrorCode::ENHANCE_YOUR_CALM);

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoAway(code) => write!(f, "GOAWAY {}", code.name()),
            Self::Reset(code) => write!(f, "RST_STREAM {}", code.name()),
            Self::Status(code) => write!(f, "grpc-status {code}"),
            Self::Http(status) => write!(f, "HTTP {status}"),
            Self::Closed => f.write_str("closed"),
            Self::Throttled => f.write_str("not read further"),
            Self::Served => f.write_str("served"),
        }
    }
}

/// Responses on one connection of an attacker.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Code of the last GOAWAY.
    pub go_away: Option<ErrorCode>,
    /// RST_STREAM frames by code, without NO_ERROR, which follows an early reply.
    pub resets: Vec<(ErrorCode, usize)>,
    /// Last `grpc-status` other than 0.
    pub status: Option<u16>,
    /// Last `:status` other than 200.
    pub http_status: Option<u16>,
    /// Number of header blocks: starts of replies, and ends of calls.
    pub heads: usize,
    /// Number of DATA frames with payload. A small reply is one frame, so this is the number of
    /// handlers reached.
    pub messages: usize,
    /// True if the server ended the connection.
    pub ended: bool,
    /// True if the server accepted no more bytes for a while.
    pub stalled: bool,
}

impl Seen {
    pub fn note_reset(&mut self, code: ErrorCode) {
        if code == ErrorCode::NO_ERROR {
            return;
        }
        match self.resets.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.resets.push((code, 1)),
        }
    }

    /// Returns the most severe of the responses.
    pub fn answer(&self) -> Answer {
        if let Some(code) = self.go_away.filter(|code| *code != ErrorCode::NO_ERROR) {
            return Answer::GoAway(code);
        }
        if self.ended {
            return Answer::Closed;
        }
        if let Some((code, _)) = self.resets.iter().max_by_key(|(_, count)| *count) {
            return Answer::Reset(*code);
        }
        match (self.http_status, self.status) {
            (Some(status), _) => Answer::Http(status),
            (None, Some(status)) => Answer::Status(status),
            (None, None) if self.stalled => Answer::Throttled,
            (None, None) => Answer::Served,
        }
    }
}

/// Lists all defences of the server against the attack, the most severe first.
impl Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.answer();
        for (code, count) in &self.resets {
            if Answer::Reset(*code) == last {
                continue;
            }
            write!(f, "RST_STREAM {} × {count}, ", code.name())?;
        }
        write!(f, "{last}")
    }
}
