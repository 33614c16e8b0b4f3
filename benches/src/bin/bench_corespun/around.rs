//! What can be turned on around the calls, to see what it costs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use corespun::otel::{Otlp, Sampler, Tracer};
use corespun::server::{ServerBuilder, observe};
use corespun::{CallObserver, GrpcWeb, Incoming, MessageBytes};
use corespun_benches::AnyError;

/// One thing around calls.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Around {
    /// An interceptor that lets every call pass.
    Interceptor,
    /// An observer that adds up the bytes of all messages.
    Observer,
    /// A span for each call, of which none is sampled.
    Span,
    /// A span for each call, all sampled, for a collector that is not there.
    SampledSpan,
    /// Counts for channelz.
    Channelz,
    /// gRPC-Web and HTTP/1.1 on the same port.
    Web,
}

impl Around {
    /// The server with this turned on.
    ///
    /// # Errors
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

/// Bytes of all messages.
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

/// Spans whose queue is full after a while, and which are dropped then, as they are when a
/// collector is away.
fn traced(server: ServerBuilder, sampler: Sampler) -> Result<ServerBuilder, AnyError> {
    let otlp = Otlp::new("http://127.0.0.1:9").pause(Duration::from_secs(3600));
    let tracer = Tracer::builder("bench").sampler(sampler).export(otlp);
    let tracer = tracer.start()?;
    Ok(server.intercept(move |_shard| Ok(tracer.server())))
}
