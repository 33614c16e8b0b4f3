//! gRPC client: a channel to one address, and the four kinds of calls.
//!
//! ```text
//!   Channel ──▶ Subchannel ──▶ Link ◀──▶ Session ──▶ http2 output ──▶ Connection::transmit
//!      ▲          connects      │ shared   │
//!      └── Slot or pipe ◀───────┴──── Call ◀── http2 events ◀──────── Connection::receive
//! ```
//!
//! A unary call writes its head and its message directly into the connection's output and waits on
//! a slot. The response is decoded from the kernel's buffer into that slot. A streaming call
//! communicates with its connection through a [`corespun_codec::pipe`]. Everything stays on one
//! shard: a [`Channel`] is a handle that is cheap to clone there, and cannot leave it. Code that
//! runs around calls is an [`Interceptor`] of the channel.
//!
//! ```no_run
//! use std::time::Duration;
//! use corespun_client::Channel;
//! use corespun_codec::{Kind, Method, Request, Status};
//!
//! const SAY: Method<String, String> = Method::new("/echo.Echo/Say", Kind::Unary);
//!
//! async fn say() -> Result<String, Status> {
//!     let channel = Channel::connect("127.0.0.1:50051").await?;
//!     let mut request = Request::new("hello".to_owned());
//!     request.set_timeout(Duration::from_secs(1));
//!     Ok(channel.unary(SAY, request).await?.into_inner())
//! }
//!
//! let said = corespun_runtime::block_on(say());
//! ```
//!
//! A call ends with the status that the server sent, or with one of these:
//!
//! - UNAVAILABLE when there is no connection or it was lost.
//! - DEADLINE_EXCEEDED when the request's timeout passed.
//! - INTERNAL when the response violates gRPC.
//! - RESOURCE_EXHAUSTED when a message exceeds [`Config::message_bytes_max`], or metadata exceeds
//!   the limit of the other end.
//!
//! A response that is not gRPC, such as the error page of a proxy, ends its call with the status
//! that gRPC maps its HTTP status to, and the start of its body is in the message.
//! [`Status::head`](corespun_codec::Status::head) has the metadata of the head of a failed call.
//!
//! Calls that the server certainly has not processed (REFUSED_STREAM, or a stream above the last
//! one of a GOAWAY) are retried once if the request is still available, that is for unary and
//! server-streaming calls.
//!
//! **Not here:** the server, the records of TLS, several addresses and balancing between them,
//! backoff between attempts to connect, retries by policy.
#![forbid(unsafe_code)]

mod answer;
mod bell;
mod call;
mod channel;
mod client_streaming;
mod config;
mod connection;
mod deadline;
mod interception;
mod interceptor;
mod keepalive;
mod link;
mod outgoing;
mod secure;
mod session;
mod slot;
mod subchannel;
mod target;
mod watch;

pub use answer::Answer;
pub use channel::Channel;
pub use client_streaming::ClientStreaming;
pub use config::Config;
pub use connection::Connection;
pub use corespun_tls::{ClientTlsConfig, Connector, Roots};
pub use interceptor::{Calling, Ended, Interceptor, Step, Waiting, intercept_async, observe};
