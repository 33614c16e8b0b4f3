//! `compare A B`: two targets in alternating turns, with a ratio and a verdict for each metric.
//!
//! First A is compared with itself; the difference is the noise floor. Then come blocks of four
//! turns, ABBA or BAAB at random, so that drift affects both targets equally. The unit of the
//! statistics is the pair, half a block. The rules that exclude a turn are fixed in advance, in
//! `gate.rs`.

mod analysis;
mod gate;
mod schedule;

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::slice::{in_brief, measure, plan};
use super::{Condition, finish, tell};
use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::process::Machine;
use crate::report::{Body, Document, Percentiles, Report};
use crate::stats::{Estimate, Verdict};
pub(super) use analysis::is_compared;
use schedule::Turn;

/// Arguments of `compare`: those of `run`, where `--duration` is the length of a turn.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("target", |arg| arg.required(false).default_value("A").hide(true)))]
#[command(mut_arg("target_pid", |arg| arg.hide(true)))]
#[command(mut_arg("target_cgroup", |arg| arg.hide(true)))]
#[command(mut_arg("duration", |arg| arg.default_value("3s").help("Length of each turn")))]
#[command(mut_arg("warmup", |arg| arg.default_value("1s")))]
pub struct CompareArgs {
    /// First server (A): HOST:PORT or unix:/path
    pub a: String,
    /// Second server (B)
    pub b: String,
    /// Flags of each turn
    #[command(flatten)]
    pub run: RunArgs,
    /// Process ID of A, to measure its CPU time per call
    #[arg(long, value_name = "PID", help_heading = "Comparison")]
    pub a_pid: Option<String>,
    /// Process ID of B, to measure its CPU time per call
    #[arg(long, value_name = "PID", help_heading = "Comparison")]
    pub b_pid: Option<String>,
    /// Name of A in the result
    #[arg(
        long,
        value_name = "NAME",
        default_value = "A",
        help_heading = "Comparison"
    )]
    pub a_name: String,
    /// Name of B in the result
    #[arg(
        long,
        value_name = "NAME",
        default_value = "B",
        help_heading = "Comparison"
    )]
    pub b_name: String,
    /// Number of pairs of turns of A and B, even
    #[arg(
        long,
        value_name = "N",
        default_value = "12",
        help_heading = "Comparison"
    )]
    pub pairs: usize,
    /// Number of pairs of turns of A and A for the noise floor, even
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        help_heading = "Comparison"
    )]
    pub noise_pairs: usize,
    /// Seed of the order of turns and of the bootstrap
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        help_heading = "Comparison"
    )]
    pub order_seed: u64,
}

/// Side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// First target.
    A,
    /// Second target.
    B,
}

/// Result of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// Names of A and B.
    pub names: [String; 2],
    /// Addresses of A and B.
    pub targets: [String; 2],
    /// Verdict in one sentence.
    pub verdict: String,
    /// Ratios with their verdicts.
    pub metrics: Vec<Metric>,
    /// All turns in order.
    pub slices: Vec<Slice>,
    /// Number of pairs of A and B whose turns both count, and number of all pairs.
    pub pairs: (usize, usize),
    /// Merged report of all turns of A that count.
    pub a: Option<Box<Report>>,
    /// Merged report of all turns of B that count.
    pub b: Option<Box<Report>>,
    /// True if the generator, not the targets, limited the rate; throughput is then unknown.
    pub generator_limited: bool,
    /// Machine that the generator ran on.
    pub machine: Machine,
    /// Warnings about the validity of the result.
    pub warnings: Vec<String>,
}

/// Metric of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metric {
    /// Name of the metric, such as `p99`, `rps` or `cpu_us`.
    pub name: String,
    /// Unit of `a` and `b`.
    pub unit: String,
    /// True if a larger value is better.
    pub large_is_better: bool,
    /// Median of A's turns that count; for `max` their maximum.
    pub a: Option<f64>,
    /// Median of B's turns that count; for `max` their maximum.
    pub b: Option<f64>,
    /// Ratio of A to B over the pairs that count.
    pub ratio: Option<Estimate>,
    /// Ratio of A to B over all pairs.
    pub unfiltered: Option<Estimate>,
    /// True if the generator caused most of the value, so that it does not describe the targets.
    #[serde(default)]
    pub is_generators: bool,
    /// Noise floor: ratio of A to itself, as a factor above 1.
    pub noise: Option<f64>,
    /// Verdict on the ratio.
    pub verdict: Verdict,
}

/// Turn of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// Number of the pair, from 0.
    pub pair: usize,
    /// True for turns of A and A, which measure the noise floor.
    pub noise: bool,
    /// Side that the turn counts for. In pairs of A and A, A takes both sides.
    pub side: Side,
    /// Successful calls per second.
    pub rps: f64,
    /// Latency from the intended start.
    pub latency_us: Percentiles,
    /// Delay of calls by the generator itself, in an open loop.
    #[serde(default)]
    pub late_us: Option<Percentiles>,
    /// CPU time of the target per call, in µs.
    pub cpu_us: Option<f64>,
    /// CPU share of the generator's cores.
    pub generator_cpu_share: f64,
    /// Share of the time that the hypervisor gave to other guests.
    pub steal_share: Option<f64>,
    /// Reason that the turn does not count; `None` if it counts.
    pub rejected: Option<String>,
}

/// Runs the comparison.
pub(super) fn execute(args: &CompareArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.run.output.fail_if)?;
    let turns = schedule::turns(args.noise_pairs, args.pairs, args.order_seed)?;
    for side in [Side::A, Side::B] {
        Condition::check_all(&conditions, &plan(&args.of(side))?, true)?;
    }
    let outputs = Outputs::open(&args.run.output)?;
    let mut reports = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        let Some(report) = measure(&args.of(turn.target), interrupt)? else {
            break;
        };
        if report.interrupted {
            break;
        }
        tell(format_args!(
            "{}/{} {} {}",
            index + 1,
            turns.len(),
            args.name(*turn),
            in_brief(&report)
        ));
        reports.push((*turn, report));
    }
    let comparison = analysis::compare(args, reports, turns.len());
    let document = Document::from(Body::Compare(Box::new(comparison)));
    finish(&document, outputs, &conditions, interrupt)
}

impl CompareArgs {
    /// Returns the flags of one side.
    fn of(&self, side: Side) -> RunArgs {
        let (target, pid) = match side {
            Side::A => (&self.a, &self.a_pid),
            Side::B => (&self.b, &self.b_pid),
        };
        RunArgs {
            target: target.clone(),
            target_pid: pid.clone(),
            ..self.run.clone()
        }
    }

    fn name(&self, turn: Turn) -> String {
        let name = match turn.target {
            Side::A => &self.a_name,
            Side::B => &self.b_name,
        };
        match turn.noise {
            true => format!("{name} beside itself:"),
            false => format!("{name}:"),
        }
    }
}

#[cfg(test)]
mod tests;
