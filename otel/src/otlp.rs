//! Settings of an exporter.

use std::time::Duration;

use corespun_client::Connector;
use corespun_codec::{MetadataError, MetadataMap};
use corespun_runtime::Engine;

use crate::env;
use crate::tracer::Error;

/// Settings from the environment, used unless code sets others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) headers: MetadataMap,
    pub(crate) tls: Option<Connector>,
}

/// Collector that speaks OTLP over gRPC, and the settings of the export to it. Defaults are those
/// of OpenTelemetry's batch processor.
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
    /// Creates the settings for a collector at `endpoint`: `http://host:4317`, `https://host:4317`
    /// or another target that [`Channel::connect`](corespun_client::Channel::connect) accepts.
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

    /// Creates the settings that the environment variables describe; the default endpoint is
    /// `http://localhost:4317`. See [`Tracer::from_env`](crate::Tracer::from_env).
    ///
    /// # Errors
    ///
    /// A variable is invalid: [`Error::Variable`].
    pub fn from_env() -> Result<Self, Error> {
        env::otlp(&|name| std::env::var_os(name))
    }

    /// Sets another endpoint.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Adds metadata to every export, such as an API key.
    ///
    /// # Errors
    ///
    /// Name or value cannot be sent.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, MetadataError> {
        self.headers.append(name, value)?;
        Ok(self)
    }

    /// Uses TLS with the settings of `connector`. By default an `https://` endpoint is verified
    /// with the authorities that Mozilla trusts.
    pub fn tls(mut self, connector: Connector) -> Self {
        self.tls = Some(connector);
        self
    }

    /// Compresses exports with gzip.
    pub fn gzip(mut self) -> Self {
        self.compress = true;
        self
    }

    /// Sets the longest time of one export; 10 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest time that a span waits for its batch to fill up; 5 seconds by default, at
    /// least 1 ms.
    pub fn pause(mut self, pause: Duration) -> Self {
        // Without a minimum the exporter would poll an empty queue in a busy loop.
        self.pause = pause.max(Duration::from_millis(1));
        self
    }

    /// Sets the largest number of spans in one export; 512 by default.
    pub fn batch_spans_max(mut self, spans: usize) -> Self {
        self.batch_spans_max = spans;
        self
    }

    /// Sets the largest number of spans in the queue; further ones are dropped and counted.
    /// Default: 2048.
    pub fn queue_spans_max(mut self, spans: usize) -> Self {
        self.queue_spans_max = spans;
        self
    }

    /// Sets the longest time for which a batch is retried; 60 seconds by default.
    pub fn retry_time_max(mut self, limit: Duration) -> Self {
        self.retry_time_max = limit;
        self
    }

    /// Sets the engine that drives the exporter's socket.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Returns the metadata of an export.
    pub(crate) fn metadata(&self) -> MetadataMap {
        let (mut metadata, inherited) = (self.headers.clone(), &self.inherited.headers);
        for (key, _) in inherited.iter() {
            if !metadata.contains_key(key) {
                for value in inherited.get_all(key) {
                    // The same pair was accepted before, and there is space.
                    drop(metadata.append(key, value));
                }
            }
        }
        metadata
    }

    /// Returns the TLS settings, if any are set.
    pub(crate) fn connector(&self) -> Option<&Connector> {
        // The environment's TLS settings may belong to another collector than a plain one set in
        // code.
        let inherited = self.inherited.tls.as_ref();
        let inherited = inherited.filter(|_| self.endpoint.starts_with("https://"));
        self.tls.as_ref().or(inherited)
    }
}
