//! Report of a run as data.

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

/// Report of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Parameters of the run.
    #[serde(flatten)]
    pub setup: Setup,
    /// Number of calls by outcome.
    #[serde(flatten)]
    pub counts: Counts,
    /// Time from a call's intended start to its end.
    pub latency_us: Percentiles,
    /// Time from the sending of a call to its end.
    pub service_us: Percentiles,
    /// Time from a call's intended start to its sending; `None` in a closed loop.
    pub lag_us: Option<Percentiles>,
    /// Part of the lag that the generator causes: time from a free stream to the sending.
    pub late_us: Option<Percentiles>,
    /// Time from the sending of a call to the first bytes of its response.
    pub first_byte_us: Percentiles,
    /// Resource use of the run.
    #[serde(flatten)]
    pub cost: Cost,
    /// True if the run was interrupted.
    pub interrupted: bool,
    /// Warnings about the validity of the numbers.
    pub warnings: Vec<String>,
    /// Messages within the calls, if a side streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessageReport>,
    /// Calls and latency by method, if the run calls several.
    pub methods: Vec<MethodRow>,
    /// Calls and latency by outcome, successful calls first.
    pub outcomes: Vec<OutcomeRow>,
    /// Texts of failed calls, most frequent first.
    #[serde(default)]
    pub failures: Vec<FailureRow>,
    /// Timeline of the window.
    pub seconds: Vec<Second>,
    /// Results of each generator, if several agents made the run.
    pub agents: Vec<AgentShare>,
    /// Machine that the generator ran on.
    pub machine: Machine,
    /// Complete histograms of the latencies.
    pub histograms: Histograms,
}

/// Parameters of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Name and version of the program.
    pub generator: String,
    /// Command line without the program.
    pub command: Vec<String>,
    /// End of the run, in seconds since 1970.
    pub finished_unix_s: f64,
    /// Target as the user wrote it.
    pub target: String,
    /// Process or control group whose CPU time is measured, as in `process 123`.
    pub measured: Option<String>,
    /// Method, as `package.Service/Name`.
    pub method: String,
    /// Kind of loop: `open` or `closed`.
    #[serde(rename = "loop")]
    pub mode: String,
    /// Kernel interface of the sockets: `uring` or `epoll`.
    pub engine: String,
    /// Total number of connections.
    pub connections: usize,
    /// Largest number of calls in flight at once on each connection.
    pub streams: usize,
    /// Smallest limit of concurrent streams that the target set on a connection, if it is lower.
    #[serde(default)]
    pub streams_allowed: Option<u32>,
    /// Number of distinct requests before they repeat, if the template asks for unique ones; else
    /// `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats_after: Option<usize>,
    /// Number of threads that called.
    pub cores: usize,
    /// Length of the warm-up in seconds.
    pub warmup_s: f64,
    /// Length of the measured window in seconds.
    pub duration_s: f64,
}

impl Setup {
    /// Returns true if calls started by a schedule (open loop).
    pub fn is_open(&self) -> bool {
        self.mode == "open"
    }

    /// Returns the number of calls in flight in words: `1 connection × 8 streams`.
    pub fn shape(&self) -> String {
        let (connections, streams) = (self.connections, self.streams);
        let connections = several(connections, "connection");
        format!("{connections} × {}", several(streams, "stream"))
    }
}

/// Number of calls by outcome. `ok`, `failed` and `censored` add up to all calls that were due in
/// the measured window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// Calls with status OK and one complete message.
    pub ok: u64,
    /// Failed calls by the name of their status, or by `MISSING_STATUS` or `MALFORMED`.
    pub failed: BTreeMap<String, u64>,
    /// Calls that had not ended when the run ended.
    pub censored: u64,
    /// Successful calls (`ok`) for each second of the window.
    pub rps: f64,
    /// Calls per second that the schedule asked for; `None` in a closed loop.
    pub offered_rps: Option<f64>,
    /// Calls that ended within the window, whenever they were meant to start.
    pub ended_in_window: u64,
    /// Calls of the warm-up that were in flight when the window began. `None` unless the rate is
    /// constant and the warm-up was long enough for a steady number of calls in flight.
    #[serde(default)]
    pub carried_in: Option<u64>,
    /// Number of connections that were lost.
    #[serde(default)]
    pub lost: u64,
    /// Number of connections that were opened again.
    pub reconnects: u64,
    /// Seconds of the window without a connection, summed over all connections.
    #[serde(default)]
    pub unconnected_s: f64,
}

/// Resource use in the measured window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time of the target for each call that ended in the window, in µs.
    pub target_cpu_us_per_rpc: Option<f64>,
    /// Further resource use of the target, if it was measured.
    pub target_use: Option<Used>,
    /// CPU time of the generator for each call that ended in the window, in µs.
    pub generator_cpu_us_per_rpc: Option<f64>,
    /// CPU time of the generator as a share of the time of its cores, 0 to slightly above 1.
    pub generator_cpu_share: f64,
    /// CPU time of the busiest core of the generator as a share of its time.
    #[serde(default)]
    pub busiest_core_share: f64,
    /// Context switches of the generator.
    pub generator_switches: Option<Switches>,
    /// Delay between the planned and the actual time of the generator's timed actions, in µs.
    pub generator_stall_us: Percentiles,
    /// Share of the machine's time that the hypervisor gave to other guests, 0 to 1.
    pub steal_share: Option<f64>,
    /// Shares of the window in which some task of the machine waited for a resource.
    pub pressure: PressureShares,
}

impl Cost {
    /// Returns the CPU share of the generator's cores, or of the busiest core if that is higher.
    pub fn busy_share(&self) -> f64 {
        self.generator_cpu_share.max(self.busiest_core_share)
    }
}

/// Calls with one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeRow {
    /// Name: `OK`, a status, `MISSING_STATUS`, `MALFORMED` or `CENSORED`.
    pub name: String,
    /// Number of calls.
    pub calls: u64,
    /// Latency of the calls from the intended start.
    pub latency_us: Percentiles,
    /// Complete histogram of the latency.
    pub response: Packed,
}

/// Part of one agent in a run that several made together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentShare {
    /// Address of the agent.
    pub agent: String,
    /// Successful calls per second.
    pub rps: f64,
    /// 99th percentile of the agent's latency in µs; differences show different paths to the
    /// target.
    pub p99_us: Option<f64>,
}

/// Complete histograms of the window, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// Time from the intended start to the end.
    pub response: Packed,
    /// Time from the sending to the end.
    pub service: Packed,
    /// Time from the intended start to the sending.
    pub lag: Packed,
    /// Part of the lag that the generator causes.
    pub late: Packed,
    /// Time from the sending to the first bytes of the response.
    pub first_byte: Packed,
    /// Delay of the generator's timed actions.
    pub stall: Packed,
}

/// Raw results of a finished run.
#[derive(Debug, Default)]
pub struct Findings {
    /// Kernel interface of the sockets.
    pub engine: String,
    /// Counts of all cores.
    pub record: Record,
    /// Counts of messages, if a side of some call streams.
    pub messages: Option<Messages>,
    /// Counts of each method in the order of the mix; empty for a single method.
    pub tallies: Vec<Tally>,
    /// Timeline of the window.
    pub seconds: Vec<Second>,
    /// Clock readings over the window.
    pub window: Window,
}

impl Report {
    /// Builds the report from the plan and the raw results.
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

    /// Returns the share of the window without connections, 0 to 1, if it is above 1 %.
    pub fn unconnected(&self) -> Option<f64> {
        const SHARE_MAX: f64 = 0.01;
        let all = self.setup.connections as f64 * self.setup.duration_s;
        let share = self.counts.unconnected_s / all.max(1e-9);
        (share > SHARE_MAX).then_some(share.min(1.0))
    }

    /// Returns the number of failed calls.
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
