//! `compare A B`: two targets, turn and turn about, with a ratio for each metric and a word for it.
//!
//! First A beside itself: how far those ratios are off is the noise floor. Then blocks of four
//! turns, ABBA or BAAB at random, so that whatever drifts falls on both alike. The unit of the
//! statistics is the pair, half a block. What a turn must be to count is fixed beforehand, in
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

/// The arguments of `compare`: those of `run`, where `--duration` is the length of a turn.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("target", |arg| arg.required(false).default_value("A").hide(true)))]
#[command(mut_arg("target_pid", |arg| arg.hide(true)))]
#[command(mut_arg("target_cgroup", |arg| arg.hide(true)))]
#[command(mut_arg("duration", |arg| arg.default_value("3s").help("Length of each turn")))]
#[command(mut_arg("warmup", |arg| arg.default_value("1s")))]
pub struct CompareArgs {
    /// The first server: HOST:PORT or unix:/path
    pub a: String,
    /// The second server
    pub b: String,
    /// What each turn does
    #[command(flatten)]
    pub run: RunArgs,
    /// Process of A, to measure its CPU time per call
    #[arg(long, value_name = "PID", help_heading = "Comparison")]
    pub a_pid: Option<String>,
    /// Process of B
    #[arg(long, value_name = "PID", help_heading = "Comparison")]
    pub b_pid: Option<String>,
    /// What to call A
    #[arg(
        long,
        value_name = "NAME",
        default_value = "A",
        help_heading = "Comparison"
    )]
    pub a_name: String,
    /// What to call B
    #[arg(
        long,
        value_name = "NAME",
        default_value = "B",
        help_heading = "Comparison"
    )]
    pub b_name: String,
    /// Pairs of turns of A and B, an even number
    #[arg(
        long,
        value_name = "N",
        default_value = "12",
        help_heading = "Comparison"
    )]
    pub pairs: usize,
    /// Pairs of turns of A beside itself, an even number
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        help_heading = "Comparison"
    )]
    pub noise_pairs: usize,
    /// Decides the order of turns and the drawing of the bootstrap
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        help_heading = "Comparison"
    )]
    pub order_seed: u64,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What a comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// What A and B are called.
    pub names: [String; 2],
    /// Where they are.
    pub targets: [String; 2],
    /// One sentence.
    pub verdict: String,
    /// The ratios, each with its word.
    pub metrics: Vec<Metric>,
    /// Every turn, in the order in which they were made.
    pub slices: Vec<Slice>,
    /// Pairs of A and B whose turns both count, of how many.
    pub pairs: (usize, usize),
    /// All turns of A that count, merged.
    pub a: Option<Box<Report>>,
    /// All turns of B that count, merged.
    pub b: Option<Box<Report>>,
    /// The generator, not the target, set the rate: throughput cannot be told.
    pub generator_limited: bool,
    /// What the generator ran on.
    pub machine: Machine,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

/// One metric of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metric {
    /// As in `p99`, `rps` or `cpu_us`.
    pub name: String,
    /// The unit of `a` and `b`.
    pub unit: String,
    /// More is better.
    pub large_is_better: bool,
    /// The median of A's turns that count; for `max` the greatest of them.
    pub a: Option<f64>,
    /// The same of B's turns.
    pub b: Option<f64>,
    /// A to B, over the pairs that count.
    pub ratio: Option<Estimate>,
    /// A to B over all pairs, whether they count or not.
    pub unfiltered: Option<Estimate>,
    /// The generator, not the targets, made it: nothing can be told of them by it.
    #[serde(default)]
    pub is_generators: bool,
    /// How far A beside itself is off, as a factor above 1.
    pub noise: Option<f64>,
    /// The word.
    pub verdict: Verdict,
}

/// One turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// Its pair, from 0.
    pub pair: usize,
    /// A beside itself.
    pub noise: bool,
    /// Which of the two it counts for. Beside itself A plays both.
    pub side: Side,
    /// Good calls per second.
    pub rps: f64,
    /// From the intended start.
    pub latency_us: Percentiles,
    /// The generator's own lateness, in an open loop.
    #[serde(default)]
    pub late_us: Option<Percentiles>,
    /// CPU time of the target per call.
    pub cpu_us: Option<f64>,
    /// The generator's share of its cores.
    pub generator_cpu_share: f64,
    /// Share of the time that the hypervisor gave to others.
    pub steal_share: Option<f64>,
    /// Why it does not count.
    pub rejected: Option<String>,
}

/// Compares.
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
    /// The flags of one of the two.
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
