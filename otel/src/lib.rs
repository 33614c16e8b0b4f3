//! Traces of calls: a span for each, on server and client, to the log and to a collector.
//!
//! ```text
//!   caller ──traceparent──▶ server interceptor ──▶ handler ──▶ client interceptor ──traceparent──▶
//!                                 │   its context is current      │
//!                                 ▼   whenever it is polled       ▼
//!                              one bounded queue ──▶ exporter's thread ──OTLP/gRPC──▶ collector
//! ```
//!
//! A [`Tracer`] is made once, and goes around a server's calls and a channel's calls as an
//! interceptor of either. A caller's `traceparent` is gone on with, or a new trace begins; whether
//! a trace is recorded is its beginner's decision, and the [`Sampler`]'s where we begin it. Calls
//! that a handler makes carry its span as their parent, by themselves.
//!
//! ```no_run
//! use std::time::Duration;
//! use corespun_client::Channel;
//! use corespun_otel::{Otlp, Sampler, Tracer};
//! use corespun_server::Server;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let tracer = Tracer::builder("users")
//!         .sampler(Sampler::ratio(0.1))
//!         .export(Otlp::new("http://127.0.0.1:4317"))
//!         .start()?;
//!     let calls = tracer.clone();
//!     Server::builder()
//!         .listen("127.0.0.1:50051")
//!         .intercept(move |_shard| Ok(calls.server()))
//!         // .service(|_shard| … Channel::lazy("127.0.0.1:50052")?.intercept(calls.client()) …)
//!         .run()?;
//!     tracer.flush(Duration::from_secs(5));
//!     Ok(())
//! }
//! ```
//!
//! Each span is also one of the `tracing` crate, under the target `corespun_otel::call` at the
//! level INFO, entered while the handler is polled: what the handler logs lies in it. With no
//! subscriber that wants it there is none. Names follow OpenTelemetry's conventions for RPC:
//! `rpc.system`, `rpc.service`, `rpc.method`, `rpc.grpc.status_code`, `network.peer.address` and
//! so on.
//!
//! **Not here:** metrics, logs to a collector, spans inside of handlers, OTLP over HTTP.
#![forbid(unsafe_code)]

mod call_span;
mod client;
mod export;
mod ids;
mod otlp;
mod peer;
mod queue;
mod report;
mod sampler;
mod server;
mod tracer;

pub use client::ClientTracing;
pub use otlp::Otlp;
pub use queue::ExportStats;
pub use sampler::Sampler;
pub use server::ServerTracing;
pub use tracer::{Error, Tracer, TracerBuilder};
