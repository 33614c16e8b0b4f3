//! gRPC protocol types and wire forms that clients and servers share, without I/O or a runtime.
//!
//! | item | content |
//! |---|---|
//! | [`Method`], [`Kind`] | the constant that names an RPC and its message types |
//! | [`Request`], [`Response`], [`Extensions`] | a message with its metadata and other parts |
//! | [`Draining`] | notice to a handler that its connection is about to end |
//! | [`Status`], [`Code`] | outcome of a call; conversion to and from trailers |
//! | [`details`] | typed details of a status: the standard types of `google.rpc` |
//! | [`MetadataMap`] | metadata: pairs of key and value |
//! | [`head`] | conversion of header fields to a [`RequestHead`] and back |
//! | [`message`] | framing: five-byte prefixes, and messages from bytes in any pieces |
//! | [`pipe`], [`Streaming`], [`Sender`] | messages between a connection and a streaming task |
//! | [`CallObserver`] | callbacks for the messages and the end of a call |
//! | [`TraceContext`] | the trace that a call belongs to |
//! | [`timeout`], [`percent`] | wire forms of `grpc-timeout` and `grpc-message` |
//! | [`Encoding`], [`Encodings`] | encodings of messages by name, and sets that a peer accepts |
//!
//! Example: parse a request's header list, and convert an error to trailers:
//!
//! ```
//! use corespun_codec::{RequestHead, Status, head};
//!
//! let fields: [(&[u8], &[u8]); 5] = [
//!     (b":method", b"POST"),
//!     (b":path", b"/user.UserService/GetUser"),
//!     (b"content-type", b"application/grpc"),
//!     (b"grpc-timeout", b"250m"),
//!     (b"x-user", b"ada"),
//! ];
//! let mut head = RequestHead::default();
//! let path = head::parse_request(fields.into_iter(), &mut head).unwrap();
//! assert_eq!(path, b"/user.UserService/GetUser");
//! assert_eq!(head.timeout.unwrap().as_millis(), 250);
//! assert_eq!(head.metadata.get("x-user"), Some("ada"));
//!
//! let status = Status::not_found("no user 7");
//! let mut scratch = Vec::new();
//! let trailers: Vec<_> = status.fields(&mut scratch).collect();
//! assert_eq!(trailers, [(&b"grpc-status"[..], &b"5"[..]), (b"grpc-message", b"no user 7")]);
//! ```
//!
//! **Not here:** frames and header compression (`corespun-http2`), sockets and tasks
//! (`corespun-runtime`), the messages of any service.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod base64;
mod code;
mod compression;
pub mod details;
mod draining;
mod encoding;
mod error;
mod extensions;
#[cfg(test)]
mod generator;
pub mod head;
pub mod message;
mod metadata;
mod method;
mod observer;
mod peer;
pub mod percent;
pub mod pipe;
mod request;
mod response;
mod status;
pub mod timeout;
mod trace;

pub use code::Code;
pub use draining::{Drain, Draining};
pub use encoding::{Encoding, Encodings};
pub use error::{HeadError, MetadataError};
pub use extensions::Extensions;
pub use head::{ContentType, RequestHead};
pub use metadata::MetadataMap;
pub use method::{Kind, Method};
pub use observer::{CallObserver, MessageBytes};
pub use peer::{PeerIdentity, TlsPeer, UnixPeer};
pub use pipe::{Sender, Streaming};
pub use request::{IntoRequest, Request, RequestParts};
pub use response::{Response, ResponseParts};
pub use status::{ListRoom, Status};
pub use trace::{SpanId, TraceContext, TraceId};
