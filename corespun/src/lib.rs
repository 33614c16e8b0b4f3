//! gRPC servers and clients for Linux, with one thread per CPU core.
//!
//! Each CPU runs one *shard*: a pinned thread with its own io_uring (or epoll if the kernel denies
//! it), its own connections and its own copy of each service. Handlers are plain `async fn`s that
//! need be neither `Send` nor `Sync`. Clients in any language can call them.
//!
//! `build.rs` generates Rust from the schema; `protoc` is not needed:
//!
//! ```ignore
//! fn main() { corespun_build::compile(&["proto/user.proto"], &["proto"]).unwrap(); }
//! ```
//!
//! `main.rs` implements the generated trait and serves it:
//!
//! ```ignore
//! corespun::include_proto!("user");
//! use corespun::{Request, Response, Server, Status};
//! use user_service_server::{UserService, UserServiceServer};
//!
//! struct Users { visits: std::cell::Cell<u64> }   // one per shard: no Arc, no Mutex
//!
//! impl UserService for Users {
//!     async fn get_user(
//!         &self,
//!         request: Request<UserRequest>,
//!     ) -> Result<Response<UserResponse>, Status> {
//!         self.visits.set(self.visits.get() + 1);
//!         let id = request.get_ref().id;
//!         Ok(Response::new(UserResponse { id, name: "John Doe".into(), ..Default::default() }))
//!     }
//! }
//!
//! fn main() -> corespun::Result<()> {
//!     Server::builder()
//!         .listen("0.0.0.0:50051")
//!         .service(|_shard| Ok(UserServiceServer::new(Users { visits: 0.into() })))
//!         .run()
//! }
//! ```
//!
//! `.probes(&health)` and `.reflection()` on the builder add the services that probes, load
//! balancers and tools such as `grpcurl` need, over gRPC and plain HTTP.
//!
//! On SIGTERM a server drains: clients are sent elsewhere with GOAWAY, and calls in progress may
//! finish within a grace period. A handler of an endless stream is notified through
//! [`Request::draining`].
//!
//! Code that runs around calls (authentication, limits, metrics) is an interceptor: a plain
//! function, an async one, or a layer of `tower` that needs no body.
//!
//! ```
//! use corespun::{Incoming, Server, Status};
//!
//! fn authenticate(call: &mut Incoming) -> Result<(), Status> {
//!     match call.metadata().get("authorization") {
//!         Some("Bearer sesame") => Ok(()),
//!         _ => Err(Status::unauthenticated("the door stays closed")),
//!     }
//! }
//!
//! let server = Server::builder().intercept(|_shard| Ok(authenticate));
//! ```
//!
//! A handler may await anything whose waker works across threads: [`sleep`], [`spawn`],
//! [`spawn_blocking`], a generated client's call, a channel from a thread of another runtime.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | module | adds |
//! |---|---|---|
//! | `auth` | `auth` | JSON Web Tokens, and policies of access per method |
//! | `flags` | `server::Flags`, `server::Log` | command-line flags for `clap`, a log on stderr |
//! | `otel` | `otel` | OpenTelemetry spans of calls, and OTLP export |
//!
//! Guides are in the folder `docs` of the source: clients, streaming, TLS, tokio libraries and
//! others.
//!
//! **Not here:** logic of its own: this crate names what users need from the crates below it.
#![forbid(unsafe_code)]

/// The server, for generated code and for services written by hand.
pub mod server {
    pub use corespun_server::*;
}

/// The client, for generated code and for calls made by hand.
pub mod client {
    pub use corespun_client::*;
}

/// The runtime that both run on: shards, engines, protocols.
pub mod runtime {
    pub use corespun_runtime::*;
}

/// Authentication by tokens, and access control of methods.
#[cfg(feature = "auth")]
pub mod auth {
    pub use corespun_auth::*;
}

/// Tracing of calls: spans, W3C trace context, and OTLP to a collector.
#[cfg(feature = "otel")]
pub mod otel {
    pub use corespun_otel::*;
}

/// TLS configuration of servers and clients: keys, certificates and trusted authorities.
pub mod tls {
    pub use corespun_tls::*;
}

pub use corespun_client::{Channel, ClientStreaming};
pub use corespun_codec::details::{self, ErrorDetails};
pub use corespun_codec::{
    CallObserver, Code, Draining, Encoding, Encodings, Extensions, IntoRequest, Kind, MessageBytes,
    MetadataMap, Method, PeerIdentity, Request, Response, Sender, Status, Streaming, TraceContext,
};
pub use corespun_runtime::{block_on, sleep, spawn, spawn_blocking, timeout};
pub use corespun_server::{
    CancelGuard, CancelWatch, CutOff, Ended, Error, GrpcWeb, Health, Incoming, Interceptor,
    PlainRequest, PlainResponse, Server, Service, TlsConfig, intercept_async, intercept_tower,
};
/// Crate of the message types, which generated code names through this path.
pub use prost;
/// Well-known types such as `Timestamp`, which generated code names through this path.
pub use prost_types;

/// Result of a server's `main`.
pub type Result<T> = std::result::Result<T, Error>;

/// Includes the code that `corespun_build::compile` generated for a package:
/// `include_proto!("user")`.
#[macro_export]
macro_rules! include_proto {
    ($package:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
    };
}
