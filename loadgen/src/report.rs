//! What a run found, as data.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::LoadError;
use crate::measure::Record;
use crate::messages::Messages;
use crate::plan::Plan;
use crate::warnings;

/// How many samples must lie beyond a quantile before it is told.
const SAMPLES_BEYOND_MIN: u64 = 10;

/// What a run found; serialised, it is the JSON of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was run.
    #[serde(flatten)]
    pub setup: Setup,
    /// How many calls ended how.
    #[serde(flatten)]
    pub counts: Counts,
    /// From the moment at which a call was meant to start to its end.
    pub latency_us: Percentiles,
    /// From the sending of a call to its end.
    pub service_us: Percentiles,
    /// From the moment at which a call was meant to start to its sending; none in a closed loop.
    pub lag_us: Option<Percentiles>,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
    /// The run ended before its time.
    pub interrupted: bool,
    /// What a reader must know before believing the numbers.
    pub warnings: Vec<String>,
    /// The messages within the calls, if a side of them streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessageReport>,
}

/// The messages of streaming calls.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MessageReport {
    /// Requests sent within the window.
    pub sent: u64,
    /// Responses that came in it.
    pub received: u64,
    /// Responses for each second of the window.
    pub received_per_s: f64,
    /// From the sending of a call to its first message.
    pub first_us: Percentiles,
    /// From a request to its response where both sides stream, else from the response before.
    pub each_us: Percentiles,
}

impl MessageReport {
    /// Reads it off what was counted.
    pub fn of(messages: &Messages, window: &Window) -> Self {
        Self {
            sent: messages.sent,
            received: messages.received,
            received_per_s: messages.received as f64 / window.length.as_secs_f64(),
            first_us: Percentiles::of(&messages.first),
            each_us: Percentiles::of(&messages.each),
        }
    }
}

/// What was run.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    /// The program and its version.
    pub generator: &'static str,
    /// Where the server is.
    pub target: String,
    /// The method, as `package.Service/Name`.
    pub method: String,
    /// `open` or `closed`.
    #[serde(rename = "loop")]
    pub mode: &'static str,
    /// What drove the sockets: `uring` or `epoll`.
    pub engine: String,
    /// Connections in all.
    pub connections: usize,
    /// Calls in flight at once on each connection, at most.
    pub streams: usize,
    /// Threads that called.
    pub cores: usize,
    /// Seconds of calls before the measured window.
    pub warmup_s: f64,
    /// Seconds of the measured window.
    pub duration_s: f64,
}

/// How many calls ended how. `ok`, `failed` and `censored` together are all the calls that the
/// measured window asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Calls that ended with status OK and one whole message.
    pub ok: u64,
    /// Calls that did not, by the name of their status, `MISSING_STATUS` or `MALFORMED`.
    pub failed: BTreeMap<&'static str, u64>,
    /// Calls that had not ended when the run did.
    pub censored: u64,
    /// `ok` for each second of the window.
    pub rps: f64,
    /// Calls that the timetable asked for in each second; none in a closed loop.
    pub offered_rps: Option<f64>,
    /// Connections that were lost and made anew.
    pub reconnects: u64,
}

/// What the measured window cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// CPU time of the target's process for each call that ended in the window, in µs.
    pub target_cpu_us_per_rpc: Option<f64>,
    /// CPU time of the generator as a share of all its cores' time, 0 to 1 and a little above.
    pub generator_cpu_share: f64,
    /// Share of the machine's time that the hypervisor gave to others, 0 to 1.
    pub steal_share: Option<f64>,
}

/// Quantiles in µs; none where too few samples lie beyond to tell.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// Nine of ten are at most this.
    pub p90: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 are at most this.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Percentiles {
    /// Reads them off a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |per_mille| quantile_us(histogram, per_mille);
        let max = (!histogram.is_empty()).then(|| histogram.max() as f64 / 1e3);
        Self {
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p999: at(999),
            max,
        }
    }
}

/// The quantile in µs, if at least ten samples lie beyond it.
pub fn quantile_us(histogram: &Histogram<u64>, per_mille: u32) -> Option<f64> {
    debug_assert!(per_mille < 1000);
    let beyond = u128::from(histogram.len()) * u128::from(1000 - per_mille);
    let enough = beyond >= u128::from(SAMPLES_BEYOND_MIN) * 1000;
    let value = || histogram.value_at_quantile(f64::from(per_mille) / 1e3) as f64 / 1e3;
    enough.then(value)
}

/// How many samples a quantile needs before it is told.
pub fn samples_needed(per_mille: u32) -> u64 {
    debug_assert!(per_mille < 1000);
    (SAMPLES_BEYOND_MIN * 1000).div_ceil(u64::from(1000 - per_mille))
}

/// What the clocks showed over the measured window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// How long it was.
    pub length: Duration,
    /// CPU time of the target, if it was asked for and could be read at both ends.
    pub target_cpu: Option<Duration>,
    /// CPU time of the generator.
    pub own_cpu: Duration,
    /// Share of the machine's time given to others.
    pub steal_share: Option<f64>,
    /// The run was interrupted within it.
    pub interrupted: bool,
}

impl Report {
    /// Puts the report together from the merged record of all cores.
    pub fn new(plan: &Plan, engine: String, mut record: Record, window: Window) -> Self {
        record.take_interval();
        let seconds = window.length.as_secs_f64();
        let setup = setup(plan, engine, seconds);
        let counts = counts(plan, &record, seconds);
        let ended = record.ended_in_window;
        let per_call = |cpu: Duration| cpu.as_secs_f64() * 1e6 / ended as f64;
        let cores_seconds = seconds * plan.shape.cpus.len() as f64;
        let cost = Cost {
            target_cpu_us_per_rpc: window.target_cpu.filter(|_| ended > 0).map(per_call),
            generator_cpu_share: window.own_cpu.as_secs_f64() / cores_seconds,
            steal_share: window.steal_share,
        };
        let mut report = Self {
            setup,
            counts,
            latency_us: Percentiles::of(&record.response),
            service_us: Percentiles::of(&record.service),
            lag_us: plan.pace.rate.map(|_| Percentiles::of(&record.lag)),
            cost,
            interrupted: window.interrupted,
            warnings: Vec::new(),
            messages: None,
        };
        report.warnings = warnings::all(&report, &record, plan.target_pid);
        report
    }

    /// Calls that did not end well.
    pub fn failed(&self) -> u64 {
        self.counts.failed.values().sum()
    }
}

fn setup(plan: &Plan, engine: String, seconds: f64) -> Setup {
    Setup {
        generator: concat!("corespun-load ", env!("CARGO_PKG_VERSION")),
        target: plan.target.to_string(),
        method: plan.mix.name(),
        mode: if plan.pace.rate.is_some() {
            "open"
        } else {
            "closed"
        },
        engine,
        connections: plan.shape.connections,
        streams: plan.shape.streams,
        cores: plan.shape.cpus.len(),
        warmup_s: plan.pace.warmup.as_secs_f64(),
        duration_s: seconds,
    }
}

fn counts(plan: &Plan, record: &Record, seconds: f64) -> Counts {
    let failed: BTreeMap<_, _> = record.failures().collect();
    let offered = record.ok() + failed.values().sum::<u64>() + record.censored;
    Counts {
        ok: record.ok(),
        failed,
        censored: record.censored,
        rps: record.ok() as f64 / seconds,
        offered_rps: plan.pace.rate.map(|_| offered as f64 / seconds),
        reconnects: record.reconnects,
    }
}

/// The file of `--json`, opened before the run so that an hour's work is not lost to a typing
/// mistake. What was there is kept until the report takes its place.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    file: File,
    /// Ours to remove if nothing gets written.
    empty: bool,
}

impl JsonFile {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let new = !path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let failed = |error: std::io::Error| failure(path, error);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(failed)?,
            empty: new,
        })
    }

    /// Writes the report in place of what was there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(mut self, report: &Report) -> Result<(), LoadError> {
        let mut text = serde_json::to_string_pretty(report)
            .map_err(|error| failure(&self.path, error.into()))?;
        text.push('\n');
        if self.file.metadata().is_ok_and(|data| data.is_file()) {
            self.file
                .set_len(0)
                .map_err(|error| failure(&self.path, error))?;
        }
        self.empty = false;
        self.file
            .write_all(text.as_bytes())
            .map_err(|error| failure(&self.path, error))
    }
}

fn failure(path: &Path, error: std::io::Error) -> LoadError {
    LoadError::Report {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        if self.empty {
            // An empty file would pass for a report; if it cannot be removed, no harm is done.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
