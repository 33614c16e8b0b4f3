//! Tracer: shared by the interceptors of all shards.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use corespun_codec::Status;
use corespun_runtime::{LocalConfig, LocalShard};
use nix::sys::signal::SigSet;

use crate::client::ClientTracing;
use crate::env;
use crate::export::Exporter;
use crate::otlp::Otlp;
use crate::queue::{ExportStats, Queue};
use crate::report;
use crate::sampler::Sampler;
use crate::server::ServerTracing;

/// Factory of call spans; see the crate's page. Cheap to clone, usable on any thread. When the last
/// clone is dropped, the exporter sends the rest of its queue and ends. Call [`Tracer::flush`]
/// before the end of `main`, so that it has the time.
#[derive(Clone)]
pub struct Tracer {
    shared: Arc<Shared>,
}

struct Shared {
    off: bool,
    sampler: Sampler,
    queue: Option<Arc<Queue>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}

/// Builder of a tracer.
pub struct TracerBuilder {
    pub(crate) service: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) sampler: Sampler,
    pub(crate) otlp: Option<Otlp>,
    pub(crate) off: bool,
}

/// Reason why a tracer could not be started.
#[derive(Debug)]
pub enum Error {
    /// The endpoint is invalid, or contradicts the TLS settings.
    Endpoint(Status),
    /// The exporter's thread, or the shard on it, could not be created.
    Thread(String),
    /// An environment variable is invalid.
    Variable {
        /// Name of the variable.
        name: &'static str,
        /// Value of the variable; omitted for variables that hold secrets.
        value: String,
        /// Reason why the value is invalid.
        why: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(status) => {
                let why = status.message();
                write!(f, "failed to read the endpoint of the collector: {why}")
            }
            Self::Variable { name, value, why } => {
                write!(f, "failed to understand {name}={value}: {why}")
            }
            Self::Thread(why) => write!(f, "failed to start the exporter of spans: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl Tracer {
    /// Creates a builder of a tracer for the service of this name.
    pub fn builder(service: impl Into<String>) -> TracerBuilder {
        TracerBuilder {
            service: service.into(),
            attributes: Vec::new(),
            sampler: Sampler::default(),
            otlp: None,
            off: false,
        }
    }

    /// Creates a builder from OpenTelemetry's environment variables; settings made in code
    /// afterwards take precedence. See the [crate's page](crate#environment). The service name is
    /// `service` unless the variables set another. Spans are exported to a collector, unless a
    /// variable forbids it.
    ///
    /// # Errors
    ///
    /// A variable is invalid: [`Error::Variable`].
    pub fn from_env(service: impl Into<String>) -> Result<TracerBuilder, Error> {
        Self::from_variables(service, |name| std::env::var_os(name))
    }

    /// Creates a builder from variables of another source: `lookup` returns the value of a name.
    ///
    /// # Errors
    ///
    /// As [`Tracer::from_env`].
    pub fn from_variables(
        service: impl Into<String>,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<TracerBuilder, Error> {
        env::tracer(service.into(), &lookup)
    }

    /// Returns an interceptor of the calls of a server; one is needed for each shard.
    pub fn server(&self) -> ServerTracing {
        ServerTracing::new(self.clone())
    }

    /// Returns an interceptor of the calls of a channel.
    pub fn client(&self) -> ClientTracing {
        ClientTracing::new(self.clone())
    }

    /// Waits until all finished spans are exported or lost; returns false if `limit` passes first.
    /// Blocks the thread, so it must not be called on a shard.
    pub fn flush(&self, limit: Duration) -> bool {
        self.shared
            .queue
            .as_ref()
            .is_none_or(|queue| queue.flush(limit))
    }

    /// Returns the counts of spans by outcome.
    pub fn stats(&self) -> ExportStats {
        let queue = self.shared.queue.as_ref();
        queue.map_or_else(ExportStats::default, |queue| queue.stats())
    }

    /// Returns true if tracing is off.
    pub(crate) fn is_off(&self) -> bool {
        self.shared.off
    }

    pub(crate) fn sampler(&self) -> Sampler {
        self.shared.sampler
    }

    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        self.shared.queue.as_ref()
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sampler = self.shared.sampler;
        f.debug_struct("Tracer")
            .field("sampler", &sampler)
            .finish_non_exhaustive()
    }
}

impl TracerBuilder {
    /// Sets the sampling of traces that begin here; all are recorded by default.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Adds an attribute of this process, such as `deployment.environment.name`. The last value of
    /// a name is used, also for `service.name`.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Exports spans to a collector. Without this they go to the log only.
    pub fn export(mut self, otlp: Otlp) -> Self {
        self.otlp = Some(otlp);
        self
    }

    /// Turns tracing off: no spans, no export; contexts of callers are passed on unchanged.
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Starts the exporter, if there is one.
    ///
    /// # Errors
    ///
    /// The endpoint is invalid, or no thread could be created. A collector that cannot be reached
    /// is not an error: spans wait in the queue while it has space.
    pub fn start(self) -> Result<Tracer, Error> {
        let resource = report::resource(&self.service, &self.attributes);
        let start = |otlp: Otlp| {
            let queue = Arc::new(Queue::new(otlp.queue_spans_max, otlp.batch_spans_max));
            let shared = Arc::clone(&queue);
            let config = LocalConfig {
                engine: otlp.engine,
                cpu: None,
            };
            start_thread(config, move || Exporter::new(otlp, resource, queue))?;
            Ok(shared)
        };
        let otlp = self.otlp.filter(|_| !self.off);
        let queue = otlp.map(start).transpose()?;
        let shared = Shared {
            off: self.off,
            sampler: self.sampler,
            queue,
        };
        Ok(Tracer {
            shared: Arc::new(shared),
        })
    }
}

/// Runs an exporter on its own thread and shard, and waits until it has started.
fn start_thread(
    config: LocalConfig,
    make: impl FnOnce() -> Result<Exporter, Status> + Send + 'static,
) -> Result<(), Error> {
    let (tell, told) = mpsc::sync_channel(1);
    let run = move || {
        // The server blocks the signals that end the process in its own threads. A thread that does
        // not block them would let the kernel end the process at once, without a drain.
        if let Err(errno) = SigSet::all().thread_block() {
            return drop(tell.send(Err(Error::Thread(errno.to_string()))));
        }
        let mut shard = match LocalShard::new(config) {
            Ok(shard) => shard,
            Err(error) => return drop(tell.send(Err(Error::Thread(error.to_string())))),
        };
        shard.block_on(async {
            match make() {
                Err(status) => drop(tell.send(Err(Error::Endpoint(status)))),
                Ok(exporter) => {
                    drop(tell.send(Ok(())));
                    exporter.run().await;
                }
            }
        });
    };
    let thread = thread::Builder::new().name("corespun-otel".into());
    thread
        .spawn(run)
        .map_err(|error| Error::Thread(error.to_string()))?;
    let gone = || Err(Error::Thread("its thread ended at once".into()));
    told.recv().unwrap_or_else(|_| gone())
}
