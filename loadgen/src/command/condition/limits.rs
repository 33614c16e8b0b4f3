//! Refusal of meaningless conditions before anything is measured.

use super::{Metric, Which};
use crate::measure::NANOS_MAX;
use crate::plan::Plan;
use crate::report::samples_needed;

impl Metric {
    /// Refuses a limit that every value exceeds, or that no value can exceed, so that the condition
    /// always or never fails.
    pub(super) fn judge_limit(&self, limit: f64, above: bool) -> Result<(), &'static str> {
        let (top, range) = match self {
            Self::Latency(..) => (
                NANOS_MAX as f64 / 1e3,
                "latencies are 0 to 60 s, so the limit must be at least 0 and below 60s with >, \
                 above 0 and at most 60s with <",
            ),
            Self::Errors => (
                1.0,
                "a share is 0 to 1, or 0% to 100%, so the limit must be at least 0 and below 1 \
                 with >, above 0 and at most 1 with <",
            ),
            Self::Rate | Self::Cpu | Self::Ratio { .. } => (
                f64::INFINITY,
                "it is never negative, so the limit must be at least 0 with >, above 0 with <",
            ),
        };
        let can_fail = match above {
            true => (0.0..top).contains(&limit),
            false => limit > 0.0 && limit <= top,
        };
        if can_fail { Ok(()) } else { Err(range) }
    }

    /// Refuses a metric that a run by this plan does not measure.
    pub(super) fn judge_plan(&self, plan: &Plan, ratios: bool) -> Result<(), String> {
        let cpu = "the CPU time of the target is measured with --target-pid or --target-cgroup";
        match self {
            Self::Latency(Which::Lag, _) if plan.schedule.is_none() => {
                Err("a closed loop has no lag; give a --rate".to_owned())
            }
            Self::Latency(_, name) => enough_calls(plan, name),
            Self::Ratio { .. } if !ratios => Err("a ratio needs compare".to_owned()),
            Self::Ratio { metric, .. } if metric == "cpu_us" && plan.measured.is_none() => {
                Err("the CPU time of both targets is measured with --a-pid and --b-pid".to_owned())
            }
            Self::Cpu if plan.measured.is_none() => Err(cpu.to_owned()),
            Self::Cpu | Self::Errors | Self::Rate | Self::Ratio { .. } => Ok(()),
        }
    }
}

/// Refuses a percentile for which the planned number of calls, if known, is too small.
fn enough_calls(plan: &Plan, name: &str) -> Result<(), String> {
    let per_mille = match name {
        "p50" => 500,
        "p90" => 900,
        "p95" => 950,
        "p99" => 990,
        "p999" => 999,
        _ => return Ok(()),
    };
    let pace = &plan.pace;
    let by_rate = pace
        .rate
        .map(|rate| (rate * pace.duration.as_secs_f64()).ceil() as u64);
    let needed = samples_needed(per_mille);
    match pace.calls.or(by_rate) {
        Some(calls) if calls < needed => Err(format!(
            "{name} needs {needed} calls, and the run makes {calls}"
        )),
        _ => Ok(()),
    }
}
