//! Tracing of calls: a span for each call, on server and client, sent to the log and to a
//! collector.
//!
//! ```text
//!   caller ──traceparent──▶ server interceptor ──▶ handler ──▶ client interceptor ──traceparent──▶
//!                                 │   its context is current      │
//!                                 ▼   whenever it is polled       ▼
//!                              one bounded queue ──▶ exporter's thread ──OTLP/gRPC──▶ collector
//! ```
//!
//! A [`Tracer`] is created once, and wraps the calls of servers and channels as an interceptor. It
//! continues the trace of the caller's `traceparent`, or starts a new one. The service that starts
//! a trace decides whether it is recorded; here the [`Sampler`] decides. Calls that a handler makes
//! automatically have its span as their parent.
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
//! Each span is also a span of the `tracing` crate, with the target `corespun_otel::call` and the
//! level INFO. It is entered while the handler is polled, so log lines of the handler belong to it.
//! Without a subscriber for it, no such span is created. Names follow OpenTelemetry's conventions
//! for RPC: `rpc.system`, `rpc.service`, `rpc.method`, `rpc.grpc.status_code`,
//! `network.peer.address` and so on.
//!
//! # Environment
//!
//! [`Tracer::from_env`] reads the OpenTelemetry variables below; settings made in code afterwards
//! take precedence. An empty value counts as not set. An invalid value is an error that names
//! variable and value. Each `OTEL_EXPORTER_OTLP_*` variable can also be set as
//! `OTEL_EXPORTER_OTLP_TRACES_*`, which takes precedence.
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
