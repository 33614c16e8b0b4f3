//! The tracer: what interceptors of all shards share, and what ends with the process.

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

/// Makes spans of calls; see the crate's page. Cheap to clone, for any thread. When the last clone
/// is gone, the exporter ends after what waits in its queue: [`Tracer::flush`] ahead of the end of
/// `main` sees to that.
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

/// What can be said of a tracer before it starts.
pub struct TracerBuilder {
    pub(crate) service: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) sampler: Sampler,
    pub(crate) otlp: Option<Otlp>,
    pub(crate) off: bool,
}

/// Why a tracer could not be started.
#[derive(Debug)]
pub enum Error {
    /// The endpoint makes no sense, or does not go with the settings of TLS.
    Endpoint(Status),
    /// The exporter has no thread, or no shard on it.
    Thread(String),
    /// A variable of the environment makes no sense.
    Variable {
        /// Its name.
        name: &'static str,
        /// What it is set to; not shown where keys to something are.
        value: String,
        /// What is wrong with that.
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
    /// Starts to describe a tracer for the service of this name.
    pub fn builder(service: impl Into<String>) -> TracerBuilder {
        TracerBuilder {
            service: service.into(),
            attributes: Vec::new(),
            sampler: Sampler::default(),
            otlp: None,
            off: false,
        }
    }

    /// The same with what OpenTelemetry's environment variables say, which what is then said in
    /// code overrides: see the [crate's page](crate#environment). The service is called `service`
    /// unless they call it otherwise. Spans go to a collector, unless a variable forbids it.
    ///
    /// # Errors
    /// A variable makes no sense: [`Error::Variable`].
    pub fn from_env(service: impl Into<String>) -> Result<TracerBuilder, Error> {
        Self::from_variables(service, |name| std::env::var_os(name))
    }

    /// The same with variables from elsewhere: `lookup` is asked for each by its name.
    ///
    /// # Errors
    /// As [`Tracer::from_env`].
    pub fn from_variables(
        service: impl Into<String>,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<TracerBuilder, Error> {
        env::tracer(service.into(), &lookup)
    }

    /// Goes around the calls that a server answers; one for each shard.
    pub fn server(&self) -> ServerTracing {
        ServerTracing::new(self.clone())
    }

    /// Goes around the calls that a channel makes.
    pub fn client(&self) -> ClientTracing {
        ClientTracing::new(self.clone())
    }

    /// Waits until the collector has the spans that have ended so far, or they are given up; false
    /// when `limit` has passed before. Blocks the thread: not for a shard.
    pub fn flush(&self, limit: Duration) -> bool {
        self.shared
            .queue
            .as_ref()
            .is_none_or(|queue| queue.flush(limit))
    }

    /// What became of spans so far.
    pub fn stats(&self) -> ExportStats {
        let queue = self.shared.queue.as_ref();
        queue.map_or_else(ExportStats::default, |queue| queue.stats())
    }

    /// No call has a span.
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
    /// Which traces are recorded that begin here; all by default.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Says more of this process, such as `deployment.environment.name`; of what is said of the
    /// same name the last counts, also of `service.name`.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Brings spans to a collector. Without this they go to the log alone.
    pub fn export(mut self, otlp: Otlp) -> Self {
        self.otlp = Some(otlp);
        self
    }

    /// Makes no spans, exports nothing, and hands the contexts of callers on as they came.
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Starts the exporter, if there is one.
    ///
    /// # Errors
    /// The endpoint makes no sense, or no thread can be had. That nobody listens there is not
    /// known yet: spans wait then, as far as there is room.
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

/// Runs an exporter on a thread and a shard of its own, and waits until it is there.
fn start_thread(
    config: LocalConfig,
    make: impl FnOnce() -> Result<Exporter, Status> + Send + 'static,
) -> Result<(), Error> {
    let (tell, told) = mpsc::sync_channel(1);
    let run = move || {
        // A signal that ends the process is the server's to take, which blocks it in its own
        // threads: in one that does not it would end the process at once, without a drain.
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
