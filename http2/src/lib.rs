//! HTTP/2 (RFC 9113) as a pure state machine: bytes go in as arguments, facts come out as return
//! values, bytes to send come out through the caller's buffer. No socket, no clock, no task, no
//! lock; the same core serves the server, the client, the load generator and the tests.
//!
//! ```text
//!   peer's bytes ──▶ Connection::receive ──▶ Event (Headers, Data, Trailers, Reset, …)
//!                          │ hpack, stream table, windows, limits
//!   your clock  ──▶ advance, when deadline says so
//!   your calls  ──▶ open / send_headers / send_data / reset / release
//!                          │
//!   peer        ◀── Connection::transmit ◀── one buffer: control first, then DATA by windows
//! ```
//!
//! The canonical loop feeds input until it is exhausted, acts on each event, then transmits once:
//!
//! ```
//! use core::time::Duration;
//! use corespun_http2::{Config, Connection, Event, hpack::{Field, Indexing}};
//!
//! let mut client = Connection::new(Config::client());
//! let mut server = Connection::new(Config::server());
//! let field = |name, value| Field { name, value, indexing: Indexing::Index };
//! let request: [Field; 4] = [
//!     field(b":method", b"POST"),
//!     field(b":scheme", b"http"),
//!     field(b":path", b"/greeter/hello"),
//!     field(b":authority", b"example.com"),
//! ];
//! let stream = client.open(request.iter().copied(), None, false).unwrap();
//! client.send_data(stream, b"hello", true);
//!
//! let mut wire = Vec::new();
//! client.transmit(&mut wire);
//! let mut input = &wire[..];
//! let mut body = Vec::new();
//! while let Some(event) = server.receive(Duration::ZERO, &mut input).unwrap() {
//!     match event {
//!         Event::Headers { .. } => assert_eq!(server.headers().len(), 4),
//!         Event::Data { bytes, .. } => body.extend_from_slice(bytes),
//!         _ => {}
//!     }
//! }
//! assert_eq!(body, b"hello");
//! ```
//!
//! **Not here:** sockets, TLS, async, clocks (time is an argument), HTTP semantics beyond what
//! RFC 9113 §8 asks of every endpoint, server push, priorities, and anything of gRPC.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod block_cache;
mod connection;
mod error;
mod event;
mod flow;
mod frame;
pub mod headers;
pub mod hpack;
mod keepalive;
mod limits;
mod memo;
mod settings;
mod stream;
mod validate;

pub use block_cache::BlockCache;
pub use connection::{Config, Connection, Pressure, Role};
pub use error::{Cause, ConnectionError, ErrorCode, OpenError, OtherProtocol};
pub use event::{Block, Event};
pub use headers::{Header, HeaderList, Overflow, Token};
pub use keepalive::{Keepalive, PingPolicy};
pub use limits::{Limit, LimitHits, Limits};
pub use memo::MEMO_SLOTS;
pub use stream::StreamKey;
