//! HTTP/1.1 for clients without HTTP/2: probes, metrics scrapers, and browsers without TLS.
//!
//! ```text
//!   socket ──▶ head, body ──▶ an HTTP/2 client in memory ──▶ Connection ──▶ calls
//!   socket ◀── head, chunks ◀── its events ◀─────────────────────┘
//! ```
//!
//! Each request becomes a stream of an HTTP/2 connection that exists only in memory. So such a call
//! is like all others: deadlines, interceptors, limits and panics behave in the same way, and
//! flow-control windows slow a fast side down. This module knows HTTP/1.1 (RFC 9112) and nothing of
//! gRPC. The detour costs some microseconds for each request, and nothing for native HTTP/2
//! clients.

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

/// Request refused before it becomes a stream. The connection is closed, because the start of the
/// next request is no longer certain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    /// HTTP status.
    status: u16,
    /// Reason for the client, in plain text.
    why: Cow<'static, str>,
    /// True if nothing is sent, because the peer does not speak HTTP.
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

    /// Returns a silent refusal of a first line that is not HTTP. It may be a broken HTTP/2
    /// preface, whose sender must see the connection closed (RFC 9113 §3.4), so no HTTP/1.1
    /// response is sent.
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

/// HTTP version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// HTTP/1.0: one request, and no chunked bodies.
    One0,
    /// HTTP/1.1.
    One1,
}
