//! What a run found, as data.

mod backlog;
mod document;
mod failures;
mod merge;
mod messages;
mod methods;
mod packed;
mod percentiles;
mod second;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::Record;
use crate::messages::Messages;
use crate::plan::Plan;
use crate::process::{Machine, PressureShares, Switches, Used, Window};
use crate::tally::Tally;
use crate::units::several;
use crate::warnings;

pub(crate) use document::EMBEDDED;
pub use document::{Body, Document, FORMAT};
pub use failures::FailureRow;
pub use messages::MessageReport;
pub use methods::MethodRow;
pub use packed::Packed;
pub use percentiles::{Percentiles, quantile_us, samples_needed};
pub use second::Second;

/// What a run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The generator's own part of the lag: from the moment at which a stream was free.
    pub late_us: Option<Percentiles>,
    /// From the sending of a call to the first of its response.
    pub first_byte_us: Percentiles,
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
    /// Calls and latency by method, of a mix of several.
    pub methods: Vec<MethodRow>,
    /// Calls and latency by outcome, good ones first.
    pub outcomes: Vec<OutcomeRow>,
    /// Texts that calls failed with, the commonest first.
    #[serde(default)]
    pub failures: Vec<FailureRow>,
    /// The timeline of the window.
    pub seconds: Vec<Second>,
    /// What each generator saw, if several loaded together.
    pub agents: Vec<AgentShare>,
    /// What the generator ran on.
    pub machine: Machine,
    /// The latencies in full.
    pub histograms: Histograms,
}

/// What was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The program and its version.
    pub generator: String,
    /// The command line, without the program.
    pub command: Vec<String>,
    /// When the run ended, in seconds since 1970.
    pub finished_unix_s: f64,
    /// Where the server is.
    pub target: String,
    /// Whose CPU time was to be measured, as in `process 123`.
    pub measured: Option<String>,
    /// The method, as `package.Service/Name`.
    pub method: String,
    /// `open` or `closed`.
    #[serde(rename = "loop")]
    pub mode: String,
    /// What drove the sockets: `uring` or `epoll`.
    pub engine: String,
    /// Connections in all.
    pub connections: usize,
    /// Calls in flight at once on each connection, at most.
    pub streams: usize,
    /// The fewest streams that the target allowed at once on a connection, if that is less.
    #[serde(default)]
    pub streams_allowed: Option<u32>,
    /// Number of requests after which they repeat, although each was to have a text of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats_after: Option<usize>,
    /// Threads that called.
    pub cores: usize,
    /// Seconds of calls before the measured window.
    pub warmup_s: f64,
    /// Seconds of the measured window.
    pub duration_s: f64,
}

impl Setup {
    /// Calls started from a timetable.
    pub fn is_open(&self) -> bool {
        self.mode == "open"
    }

    /// How many calls could be in flight, in words: `1 connection × 8 streams`.
    pub fn shape(&self) -> String {
        let (connections, streams) = (self.connections, self.streams);
        let connections = several(connections, "connection");
        format!("{connections} × {}", several(streams, "stream"))
    }
}

/// How many calls ended how. `ok`, `failed` and `censored` together are all the calls that the
/// measured window asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that ended with status OK and one whole message.
    pub ok: u64,
    /// Calls that did not, by the name of their status, `MISSING_STATUS` or `MALFORMED`.
    pub failed: BTreeMap<String, u64>,
    /// Calls that had not ended when the run did.
    pub censored: u64,
    /// `ok` for each second of the window.
    pub rps: f64,
    /// Calls that the timetable asked for in each second; none in a closed loop.
    pub offered_rps: Option<f64>,
    /// Calls that ended within the window, whenever they were meant to start.
    pub ended_in_window: u64,
    /// Calls of the warm-up among them, if the rate is the same at all times and the warm-up was
    /// long enough for as many to be in flight when the window began as ever would be.
    #[serde(default)]
    pub carried_in: Option<u64>,
    /// Connections that were lost.
    #[serde(default)]
    pub lost: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
    /// Seconds of the window in which a connection was missing, summed over all of them.
    #[serde(default)]
    pub unconnected_s: f64,
}

/// What the measured window cost.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time of the target for each call that ended in the window, in µs.
    pub target_cpu_us_per_rpc: Option<f64>,
    /// What else the target used, if it was measured.
    pub target_use: Option<Used>,
    /// CPU time of the generator for each call that ended in the window, in µs.
    pub generator_cpu_us_per_rpc: Option<f64>,
    /// CPU time of the generator as a share of all its cores' time, 0 to 1 and a little above.
    pub generator_cpu_share: f64,
    /// The same of its busiest core alone.
    #[serde(default)]
    pub busiest_core_share: f64,
    /// Context switches of the generator.
    pub generator_switches: Option<Switches>,
    /// How late the generator came to what it wanted to do at a certain moment, in µs.
    pub generator_stall_us: Percentiles,
    /// Share of the machine's time that the hypervisor gave to others, 0 to 1.
    pub steal_share: Option<f64>,
    /// Shares of the window in which some task of the machine waited for a resource.
    pub pressure: PressureShares,
}

impl Cost {
    /// How busy the generator was: the share of its time that its cores computed, or the busiest of
    /// them if that is more.
    pub fn busy_share(&self) -> f64 {
        self.generator_cpu_share.max(self.busiest_core_share)
    }
}

/// One outcome of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeRow {
    /// `OK`, the status that calls failed with, `MISSING_STATUS`, `MALFORMED` or `CENSORED`.
    pub name: String,
    /// How many.
    pub calls: u64,
    /// Their latency from the intended start.
    pub latency_us: Percentiles,
    /// The same in full.
    pub response: Packed,
}

/// One generator's part of a run that several made together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentShare {
    /// Where the agent is.
    pub agent: String,
    /// Good calls per second.
    pub rps: f64,
    /// Its own p99 in µs: where agents differ, their ways to the target do.
    pub p99_us: Option<f64>,
}

/// The latencies of the window in full, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// From the intended start to the end.
    pub response: Packed,
    /// From the sending to the end.
    pub service: Packed,
    /// From the intended start to the sending.
    pub lag: Packed,
    /// The generator's own part of the lag.
    pub late: Packed,
    /// From the sending to the first of the response.
    pub first_byte: Packed,
    /// How late the generator was.
    pub stall: Packed,
}

/// What a finished run leaves behind.
#[derive(Debug, Default)]
pub struct Findings {
    /// What drove the sockets.
    pub engine: String,
    /// What was counted, by all cores.
    pub record: Record,
    /// The messages, if a side of some call streams.
    pub messages: Option<Messages>,
    /// The methods of a mix, in its order; none if there is only one.
    pub tallies: Vec<Tally>,
    /// The timeline.
    pub seconds: Vec<Second>,
    /// What the clocks showed.
    pub window: Window,
}

impl Report {
    /// Puts the report together.
    pub fn new(plan: &Plan, findings: Findings) -> Self {
        let Findings {
            engine,
            record,
            messages,
            tallies,
            seconds,
            window,
        } = findings;
        let record = record.settle();
        let length_s = window.length.as_secs_f64();
        let latencies = &record.latencies;
        let mut report = Self {
            setup: setup(plan, engine, &record, &window),
            counts: counts(plan, &record, length_s),
            latency_us: Percentiles::of(&latencies.response),
            service_us: Percentiles::of(&latencies.service),
            lag_us: plan.pace.rate.map(|_| Percentiles::of(&latencies.lag)),
            late_us: plan.pace.rate.map(|_| Percentiles::of(&latencies.late)),
            first_byte_us: Percentiles::of(&latencies.first_byte),
            cost: cost(plan, &record, &window),
            interrupted: window.interrupted,
            warnings: Vec::new(),
            messages: messages.map(|messages| MessageReport::of(&messages, length_s)),
            methods: MethodRow::all(plan, &tallies),
            outcomes: outcomes(&record),
            failures: FailureRow::all(&record.failures, &plan.secrets),
            seconds,
            agents: Vec::new(),
            machine: Machine::read(),
            histograms: Histograms {
                response: Packed::pack(&latencies.response),
                service: Packed::pack(&latencies.service),
                lag: Packed::pack(&latencies.lag),
                late: Packed::pack(&latencies.late),
                first_byte: Packed::pack(&latencies.first_byte),
                stall: Packed::pack(&record.gaps),
            },
        };
        report.warnings = warnings::all(&report, &latencies.response, &latencies.service);
        report
    }

    /// Share of the window in which connections were missing, 0 to 1, if it is more than the moment
    /// that a new one takes.
    pub fn unconnected(&self) -> Option<f64> {
        const SHARE_MAX: f64 = 0.01;
        let all = self.setup.connections as f64 * self.setup.duration_s;
        let share = self.counts.unconnected_s / all.max(1e-9);
        (share > SHARE_MAX).then_some(share.min(1.0))
    }

    /// Calls that did not end well.
    pub fn failed(&self) -> u64 {
        self.counts.failed.values().sum()
    }
}

fn setup(plan: &Plan, engine: String, record: &Record, window: &Window) -> Setup {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mode = if plan.pace.rate.is_some() {
        "open"
    } else {
        "closed"
    };
    Setup {
        generator: concat!("corespun-load ", env!("CARGO_PKG_VERSION")).to_owned(),
        command: plan.command.clone(),
        finished_unix_s: now.map_or(0.0, |since| since.as_secs_f64()),
        target: plan.target.to_string(),
        measured: plan.measured.as_ref().map(ToString::to_string),
        method: plan.mix.name(),
        mode: mode.to_owned(),
        engine,
        connections: plan.shape.connections,
        streams: plan.shape.streams,
        streams_allowed: Some(record.streams_allowed)
            .filter(|allowed| (*allowed as usize) < plan.shape.streams),
        repeats_after: plan.mix.repeats_after(),
        cores: plan.shape.cpus.len(),
        warmup_s: plan.pace.warmup.as_secs_f64(),
        duration_s: window.length.as_secs_f64(),
    }
}

fn counts(plan: &Plan, record: &Record, seconds: f64) -> Counts {
    let failed = record.failed();
    let failed: BTreeMap<_, _> = failed.map(|(name, n)| (name.to_owned(), n)).collect();
    let offered = record.ok() + failed.values().sum::<u64>() + record.censored;
    let each_second = |calls: u64| {
        if seconds > 0.0 {
            calls as f64 / seconds
        } else {
            0.0
        }
    };
    Counts {
        ok: record.ok(),
        failed,
        censored: record.censored,
        rps: each_second(record.ok()),
        offered_rps: plan.pace.rate.map(|_| each_second(offered)),
        ended_in_window: record.ended_in_window,
        carried_in: backlog::is_told(plan, record).then_some(record.carried_in),
        lost: record.lost,
        reconnects: record.reconnects,
        unconnected_s: record.unconnected.as_secs_f64(),
    }
}

fn cost(plan: &Plan, record: &Record, window: &Window) -> Cost {
    let ended = record.ended_in_window;
    let each = |cpu_s: f64| (ended > 0).then_some(cpu_s * 1e6 / ended as f64);
    let own_cpu_s = window.own_cpu.as_secs_f64();
    let cores_seconds = window.length.as_secs_f64() * plan.shape.cpus.len() as f64;
    Cost {
        target_cpu_us_per_rpc: window.target.and_then(|target| each(target.cpu_s)),
        target_use: window.target,
        generator_cpu_us_per_rpc: each(own_cpu_s),
        generator_cpu_share: own_cpu_s / cores_seconds.max(1e-9),
        busiest_core_share: record.busiest_core_share,
        generator_switches: window.own_switches,
        generator_stall_us: Percentiles::of(&record.gaps),
        steal_share: window.steal_share,
        pressure: window.pressure,
    }
}

fn outcomes(record: &Record) -> Vec<OutcomeRow> {
    let row = |(name, response): (&str, _)| OutcomeRow {
        name: name.to_owned(),
        calls: hdrhistogram::Histogram::len(&response),
        latency_us: Percentiles::of(&response),
        response: Packed::pack(&response),
    };
    record.by_outcome().into_iter().map(row).collect()
}

#[cfg(test)]
pub(crate) mod tests;
