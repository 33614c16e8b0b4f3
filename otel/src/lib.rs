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
//! # Environment
//!
//! [`Tracer::from_env`] takes OpenTelemetry's variables for what they mean; what is then said in
//! code counts for more. What is set to nothing is not set. A value that makes no sense is an error
//! that names both. `OTEL_EXPORTER_OTLP_*` stands also for `OTEL_EXPORTER_OTLP_TRACES_*`, which
//! counts for more.
//!
//! | variable | setting |
//! |---|---|
//! | `OTEL_SDK_DISABLED` | [`TracerBuilder::off`] |
//! | `OTEL_SERVICE_NAME` | the service's name, ahead of a `service.name` among the attributes |
//! | `OTEL_RESOURCE_ATTRIBUTES` | [`TracerBuilder::attribute`] |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | [`TracerBuilder::sampler`] |
//! | `OTEL_TRACES_EXPORTER` | `otlp`, or `none` for no [`TracerBuilder::export`] |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | [`Otlp::new`]; without a scheme it means `https` |
//! | `OTEL_EXPORTER_OTLP_INSECURE` | then it means `http` |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | [`Otlp::header`] |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | [`Otlp::timeout`] |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` | [`Otlp::gzip`] |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE`, `…_CLIENT_CERTIFICATE`, `…_CLIENT_KEY` | [`Otlp::tls`] |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | only `grpc` will do |
//! | `OTEL_BSP_SCHEDULE_DELAY` | [`Otlp::pause`] |
//! | `OTEL_BSP_EXPORT_TIMEOUT` | [`Otlp::retry_time_max`] |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | [`Otlp::queue_spans_max`] |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | [`Otlp::batch_spans_max`] |
//!
//! **Not here:** metrics, logs to a collector, spans inside of handlers, OTLP over HTTP.
#![forbid(unsafe_code)]

mod call_span;
mod client;
mod env;
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
