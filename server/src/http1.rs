//! HTTP/1.1 for callers that speak nothing better: a probe, a scraper, a browser without TLS.
//!
//! ```text
//!   socket ──▶ head, body ──▶ an HTTP/2 client in memory ──▶ Connection ──▶ calls, as ever
//!   socket ◀── head, chunks ◀── its events ◀─────────────────────┘
//! ```
//!
//! Each request becomes a stream of an HTTP/2 connection that never leaves memory. So a call that
//! comes this way is one like all others (deadlines, interceptors, limits, a panic), windows hold
//! a fast side back for a slow one, and this room knows HTTP/1.1 (RFC 9112) and nothing of gRPC.
//! The detour costs a caller some microseconds; what native callers pay for it is nothing.

mod answer;
mod body;
mod connection;
mod front;
mod head;
mod link;
mod wrong_port;

pub(crate) use connection::Http1;
pub(crate) use front::{Front, Guest, Stranger};
pub(crate) use wrong_port::answer_plaintext;

use std::borrow::Cow;

/// A request that is refused before it becomes a stream. The connection ends with it, since where
/// the next one begins is no longer certain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    /// The HTTP status.
    status: u16,
    /// What was wrong, for whoever reads the answer.
    why: Cow<'static, str>,
    /// The peer gets no answer, because it speaks no HTTP.
    is_silent: bool,
}

impl Refusal {
    fn new(status: u16, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            why: why.into(),
            is_silent: false,
        }
    }

    /// A first line that is none of HTTP's. It may be a broken preface of HTTP/2, whose sender must
    /// find the connection ended (RFC 9113 §3.4), so nothing is said in HTTP/1.1.
    fn foreign() -> Self {
        Self {
            is_silent: true,
            ..Self::malformed("the first line names no version of HTTP")
        }
    }

    fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, why)
    }
}

/// The version that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// HTTP/1.0: one request, and no chunks.
    One0,
    /// HTTP/1.1.
    One1,
}
