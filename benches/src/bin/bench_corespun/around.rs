//! Optional features around calls, to measure their cost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use corespun::otel::{Otlp, Sampler, Tracer};
use corespun::server::{ServerBuilder, observe};
use corespun::{CallObserver, GrpcWeb, Incoming, MessageBytes};
use corespun_benches::AnyError;

/// Optional feature around calls.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Around {
    /// An interceptor that lets every call pass.
    Interceptor,
    /// An observer that adds up the bytes of all messages.
    Observer,
    /// A span for each call, of which none is sampled.
    Span,
    /// A span for each call, all sampled, for an unreachable collector.
    SampledSpan,
    /// Counters for channelz.
    Channelz,
    /// gRPC-Web and HTTP/1.1 on the same port.
    Web,
}

impl Around {
    /// Enables this feature on a server.
    ///
    /// # Errors
    ///
    /// The exporter of spans cannot be started.
    pub fn apply(self, server: ServerBuilder) -> Result<ServerBuilder, AnyError> {
        Ok(match self {
            Self::Interceptor => server.intercept(|_shard| Ok(|_call: &mut Incoming| Ok(()))),
            Self::Observer => server.intercept(|_shard| {
                let volume = Rc::new(Volume::default());
                Ok(observe(move |_call: &Incoming| Some(volume.clone() as _)))
            }),
            Self::Span => traced(server, Sampler::NEVER)?,
            Self::SampledSpan => traced(server, Sampler::ALWAYS)?,
            Self::Channelz => server.channelz(),
            Self::Web => server.grpc_web(GrpcWeb::new().allow_any_origin()),
        })
    }
}

/// Number of bytes of all messages.
#[derive(Default)]
struct Volume(Cell<usize>);

impl CallObserver for Volume {
    fn received(&self, message: MessageBytes) {
        self.0.set(self.0.get() + message.wire);
    }

    fn sent(&self, message: MessageBytes) {
        self.0.set(self.0.get() + message.wire);
    }
}

/// Adds a span to each call. The queue of spans fills up and further ones are dropped, as with an
/// unreachable collector.
fn traced(server: ServerBuilder, sampler: Sampler) -> Result<ServerBuilder, AnyError> {
    let otlp = Otlp::new("http://127.0.0.1:9").pause(Duration::from_secs(3600));
    let tracer = Tracer::builder("bench").sampler(sampler).export(otlp);
    let tracer = tracer.start()?;
    Ok(server.intercept(move |_shard| Ok(tracer.server())))
}
