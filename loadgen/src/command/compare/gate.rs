//! What a turn must be to count. Fixed before anything is measured, and counted in the report.

use crate::report::Report;

/// A turn that lost more of its time than this to other guests of the machine does not count, …
const STEAL_SHARE_MAX: f64 = 0.10;

/// … unless that is what all turns lost: then this factor of the median is the limit.
const STEAL_FACTOR_MAX: f64 = 2.0;

/// The share of offered calls that must have ended well.
const ACHIEVED_MIN: f64 = 0.99;

/// The share of its window that the target's threads may have waited for a CPU.
const RUN_DELAY_MAX: f64 = 0.05;

/// Above this share of the median latency, the lag of the timetable is not small.
const LAG_SHARE_MAX: f64 = 0.5;

/// Why the turn does not count; `steal_median` is that of all turns.
pub(super) fn rejection(report: &Report, steal_median: f64) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let steal = report.cost.steal_share.unwrap_or_default();
    if steal > STEAL_SHARE_MAX.max(STEAL_FACTOR_MAX * steal_median) {
        return Some(format!("steal of {}", percent(steal)));
    }
    let bad = report.failed() + report.counts.censored;
    if bad > 0 && report.failed() > 0 {
        return Some(format!("{} calls failed", report.failed()));
    }
    let used = report.cost.target_use.as_ref();
    let delay = used.and_then(|used| used.run_delay_s).unwrap_or_default();
    let delay = delay / report.setup.duration_s.max(1e-9);
    if delay > RUN_DELAY_MAX {
        return Some(format!("target without a CPU for {}", percent(delay)));
    }
    late(report)
}

/// In an open loop: the timetable was not kept.
fn late(report: &Report) -> Option<String> {
    let offered = report.counts.offered_rps?;
    if report.counts.rps < offered * ACHIEVED_MIN {
        let share = report.counts.rps / offered * 100.0;
        return Some(format!("only {share:.1} % of the offered calls"));
    }
    let lag = report.lag_us?.p50?;
    let latency = report.latency_us.p50?;
    (lag > LAG_SHARE_MAX * latency).then(|| format!("timetable late by {lag:.0} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Used;
    use crate::report::tests::report;

    #[test]
    fn each_gate_closes() {
        let good = || {
            let mut report = report("--rate 999 --connections 2", 1996);
            report.counts.failed.clear();
            report
        };
        assert_eq!(rejection(&good(), 0.0), None);
        let mut stolen = good();
        stolen.cost.steal_share = Some(0.12);
        assert_eq!(rejection(&stolen, 0.01).unwrap(), "steal of 12.0 %");
        assert_eq!(rejection(&stolen, 0.07), None, "all turns lost that much");
        let mut failed = good();
        failed.counts.failed.insert("INTERNAL".to_owned(), 1);
        assert_eq!(rejection(&failed, 0.0).unwrap(), "1 calls failed");
        let mut waiting = good();
        waiting.cost.target_use = Some(Used {
            run_delay_s: Some(0.2),
            ..Used::default()
        });
        assert!(rejection(&waiting, 0.0).unwrap().contains("10.0 %"));
        let mut short = good();
        short.counts.offered_rps = Some(short.counts.rps * 1.02);
        assert!(rejection(&short, 0.0).unwrap().contains("98.0 %"));
        let mut late = good();
        late.lag_us = Some(late.latency_us);
        assert!(rejection(&late, 0.0).unwrap().contains("late"));
    }
}
