//! Logs and traces of the example servers, configured by flags and `RUST_LOG`.

use std::error::Error;
use std::time::Duration;

use corespun::otel::{Otlp, Sampler, Tracer};
use corespun::server::{Log, ServerBuilder};

/// Longest wait at the end of a program for its last spans to be exported.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(5);

/// Flags for tracing.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceFlags {
    /// OpenTelemetry collector for the spans of calls, such as http://127.0.0.1:4317; without URL,
    /// the one in OTEL_EXPORTER_OTLP_…
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    pub otlp: Option<Option<String>>,

    /// Ratio of the traces that begin here to record, from 0 to 1 [default: OTEL_TRACES_SAMPLER,
    /// else 1]
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub trace_ratio: Option<f64>,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok();
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("a ratio is from 0 to 1, not {text}"))
}

/// Tracer of a program, if tracing is on.
#[derive(Debug)]
pub struct Telemetry {
    tracer: Option<Tracer>,
    _log: Log,
}

impl Telemetry {
    /// Starts to log as `RUST_LOG` says, or as `filter` if it is not set. Calls have spans when
    /// there is a collector, or when `RUST_LOG` is set: then each span is also a line in the log.
    ///
    /// # Errors
    ///
    /// The filter, the endpoint of the collector or an OpenTelemetry variable is invalid.
    pub fn start(service: &str, filter: &str, flags: &TraceFlags) -> Result<Self, Box<dyn Error>> {
        let asked = std::env::var("RUST_LOG").ok();
        let filter = asked.as_deref().unwrap_or(filter);
        let log = match asked {
            Some(_) => Log::start_with_spans(filter)?,
            None => Log::start(filter)?,
        };
        let mut builder = match &flags.otlp {
            Some(_) => Tracer::from_env(service)?,
            None if asked.is_some() => Tracer::builder(service),
            None => {
                return Ok(Self {
                    tracer: None,
                    _log: log,
                });
            }
        };
        if let Some(Some(endpoint)) = &flags.otlp {
            builder = builder.export(Otlp::from_env()?.endpoint(endpoint));
        }
        if let Some(ratio) = flags.trace_ratio {
            builder = builder.sampler(Sampler::ratio(ratio));
        }
        Ok(Self {
            tracer: Some(builder.start()?),
            _log: log,
        })
    }

    /// Adds spans to the calls of a server.
    pub fn around(&self, server: ServerBuilder) -> ServerBuilder {
        match self.tracer.clone() {
            Some(tracer) => server.intercept(move |_shard| Ok(tracer.server())),
            None => server,
        }
    }

    /// Returns the tracer for the calls of channels.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Waits for the last spans to be exported.
    pub fn finish(self) {
        let Some(tracer) = self.tracer else { return };
        if !tracer.flush(FLUSH_TIME_MAX) {
            tracing::warn!(stats = ?tracer.stats(), "spans are left behind");
        }
    }
}
