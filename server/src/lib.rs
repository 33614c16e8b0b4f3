//! gRPC server: joins sockets, HTTP/2 and messages.
//!
//! ```text
//!   runtime pump ──▶ Connection::receive ──▶ http2 events ──▶ Call ──▶ Handler
//!                                                              │          │ polled once, in place
//!   runtime pump ◀── Connection::transmit ◀── http2 output ◀── Reply ◀────┘
//! ```
//!
//! A unary request that is complete in one read is decoded from the kernel's buffer. Its handler is
//! polled in place, and its reply is encoded directly into the connection's output. A handler
//! becomes a task only if it has to wait. A streaming handler is a task from its start and
//! communicates with its connection through a [`corespun_codec::pipe`]. Requests that are not gRPC
//! calls go to the handler of [`ServerBuilder::plain`], if there is one.
//!
//! ```no_run
//! use std::rc::Rc;
//! use corespun_codec::{Kind, Method, Request, Response};
//! use corespun_server::{Routes, Server, Service};
//!
//! struct Echo;
//! const SAY: Method<String, String> = Method::new("/echo.Echo/Say", Kind::Unary);
//!
//! impl Service for Echo {
//!     const NAME: &'static str = "echo.Echo";
//!     fn register(self, routes: &mut Routes) {
//!         let service = Rc::new(self);
//!         routes.unary(SAY, &service, |_echo, request: Request<String>| async move {
//!             Ok(Response::new(request.into_inner()))
//!         });
//!     }
//! }
//!
//! fn main() -> Result<(), corespun_server::Error> {
//!     Server::builder().listen("127.0.0.1:50051").service(|_shard| Ok(Echo)).run()
//! }
//! ```
//!
//! **Not here:** the client, the records of TLS, tokens and policies (`corespun-auth`).
#![forbid(unsafe_code)]

mod acceptor;
mod admission;
mod bell;
mod builtin;
mod call;
mod cancel;
mod config;
mod connection;
mod cut_off;
mod error;
#[cfg(feature = "flags")]
mod flags;
mod handler;
mod http1;
mod interceptor;
mod layer;
mod lifetime;
mod limit_stats;
mod occupancy;
mod overload_stats;
mod plain;
mod reply;
mod routes;
mod server;
mod service;
mod surround;
mod tally;
mod throttle;
mod valve;
mod watch;
mod web;

pub use admission::{Admission, Signals};
pub use builtin::health::Health;
pub use cancel::{CancelGuard, CancelWatch};
pub use config::Config;
pub use connection::Connection;
pub use corespun_tls::TlsConfig;
pub use cut_off::CutOff;
pub use error::Error;
#[cfg(feature = "flags")]
pub use flags::{
    AdmissionFlag, AdmissionFlagError, Flags, LifetimeFlags, LimitFlag, LimitFlagError, LimitFlags,
    Log, LogError, OverloadFlags, SizeFlags, conclude,
};
pub use interceptor::{
    Answer, Ended, Incoming, Interceptor, Step, Waiting, intercept_async, observe,
};
pub use layer::{Gate, Passing, intercept_tower};
pub use lifetime::Lifetime;
pub use limit_stats::LimitStats;
pub use overload_stats::{OverloadHits, OverloadStats};
pub use plain::{PlainRequest, PlainResponse};
pub use routes::Routes;
pub use server::{Bound, BoxError, Running, Server, ServerBuilder};
pub use service::{Scoped, Service};
pub use surround::Surround;
pub use valve::Valve;
pub use web::GrpcWeb;
