//! Where spans go, and how: the settings of an exporter.

use std::time::Duration;

use corespun_client::Connector;
use corespun_codec::{MetadataError, MetadataMap};
use corespun_runtime::Engine;

use crate::env;
use crate::tracer::Error;

/// What the environment says, and counts where nothing else is said in code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) headers: MetadataMap,
    pub(crate) tls: Option<Connector>,
}

/// A collector that speaks OTLP over gRPC, and how spans are brought to it. What is not said
/// otherwise is as OpenTelemetry's batch processor has it.
#[derive(Clone, Debug)]
pub struct Otlp {
    pub(crate) endpoint: String,
    pub(crate) headers: MetadataMap,
    pub(crate) inherited: Inherited,
    pub(crate) tls: Option<Connector>,
    pub(crate) compress: bool,
    pub(crate) timeout: Duration,
    pub(crate) pause: Duration,
    pub(crate) batch_spans_max: usize,
    pub(crate) queue_spans_max: usize,
    pub(crate) retry_time_max: Duration,
    pub(crate) engine: Engine,
}

impl Otlp {
    /// The collector at `endpoint`: `http://host:4317`, `https://host:4317` or another target that
    /// [`Channel::connect`](corespun_client::Channel::connect) takes.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers: MetadataMap::new(),
            inherited: Inherited::default(),
            tls: None,
            compress: false,
            timeout: Duration::from_secs(10),
            pause: Duration::from_secs(5),
            batch_spans_max: 512,
            queue_spans_max: 2048,
            retry_time_max: Duration::from_secs(60),
            engine: Engine::Auto,
        }
    }

    /// The collector that the variables of the environment name, `http://localhost:4317` if they name
    /// none, with the settings that they have; see
    /// [`Tracer::from_env`](crate::Tracer::from_env).
    ///
    /// # Errors
    /// A variable makes no sense: [`Error::Variable`].
    pub fn from_env() -> Result<Self, Error> {
        env::otlp(&|name| std::env::var_os(name))
    }

    /// Another collector.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Sends this metadata with every export, such as a key of the collector's operator.
    ///
    /// # Errors
    /// Name or value cannot be sent.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, MetadataError> {
        self.headers.append(name, value)?;
        Ok(self)
    }

    /// Speaks TLS as `connector` says; without this `https://` believes whom Mozilla does.
    pub fn tls(mut self, connector: Connector) -> Self {
        self.tls = Some(connector);
        self
    }

    /// Compresses exports with gzip.
    pub fn gzip(mut self) -> Self {
        self.compress = true;
        self
    }

    /// How long one export may take; 10 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long spans wait for others to travel with; 5 seconds by default, a millisecond at least.
    pub fn pause(mut self, pause: Duration) -> Self {
        // Without one the exporter would look at an empty queue without end.
        self.pause = pause.max(Duration::from_millis(1));
        self
    }

    /// How many spans one export has at most; 512 by default.
    pub fn batch_spans_max(mut self, spans: usize) -> Self {
        self.batch_spans_max = spans;
        self
    }

    /// How many spans may wait; further ones are dropped, and counted. 2048 by default.
    pub fn queue_spans_max(mut self, spans: usize) -> Self {
        self.queue_spans_max = spans;
        self
    }

    /// How long one batch is sent again and again; 60 seconds by default.
    pub fn retry_time_max(mut self, limit: Duration) -> Self {
        self.retry_time_max = limit;
        self
    }

    /// What drives the exporter's one socket.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// The metadata of an export.
    pub(crate) fn metadata(&self) -> MetadataMap {
        let (mut metadata, inherited) = (self.headers.clone(), &self.inherited.headers);
        for (key, _) in inherited.iter() {
            if !metadata.contains_key(key) {
                for value in inherited.get_all(key) {
                    // It was taken before, and there is room.
                    drop(metadata.append(key, value));
                }
            }
        }
        metadata
    }

    /// How to speak TLS, if something is said of that.
    pub(crate) fn connector(&self) -> Option<&Connector> {
        // The environment may speak of other collectors than a plain one that is named in code.
        let inherited = self.inherited.tls.as_ref();
        let inherited = inherited.filter(|_| self.endpoint.starts_with("https://"));
        self.tls.as_ref().or(inherited)
    }
}
