//! Rules that exclude a turn. They are fixed before the measurement, and the report counts the
//! excluded turns.

use crate::report::Report;
use crate::stats::median;

/// Largest share of time lost to other guests of the machine in a turn that counts.
const STEAL_SHARE_MAX: f64 = 0.10;

/// Largest share of the window in which the target's threads waited for a CPU in a turn that
/// counts.
const RUN_DELAY_MAX: f64 = 0.05;

/// Largest factor to the median of all turns; raises the limits above if most turns had losses.
const FACTOR_MAX: f64 = 2.0;

/// Smallest share of offered calls that must succeed in a turn that counts.
const ACHIEVED_MIN: f64 = 0.99;

/// Usual losses of a turn; a loss that all turns had excludes none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usual {
    steal: f64,
    run_delay: f64,
}

impl Usual {
    /// Returns the medians over all turns.
    pub(super) fn of<'a>(reports: impl Iterator<Item = &'a Report> + Clone) -> Self {
        let steal = median(reports.clone().map(steal));
        let run_delay = median(reports.map(run_delay));
        Self {
            steal: steal.unwrap_or_default(),
            run_delay: run_delay.unwrap_or_default(),
        }
    }
}

fn steal(report: &Report) -> f64 {
    report.cost.steal_share.unwrap_or_default()
}

fn run_delay(report: &Report) -> f64 {
    let used = report.cost.target_use.as_ref();
    let delay = used.and_then(|used| used.run_delay_s).unwrap_or_default();
    delay / report.setup.duration_s.max(1e-9)
}

/// Returns the reason that the turn does not count, if there is one.
pub(super) fn rejection(report: &Report, usual: Usual) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let steal = steal(report);
    if steal > STEAL_SHARE_MAX.max(FACTOR_MAX * usual.steal) {
        return Some(format!("steal of {}", percent(steal)));
    }
    if report.failed() > 0 {
        return Some(format!("{} calls failed", report.failed()));
    }
    let delay = run_delay(report);
    if delay > RUN_DELAY_MAX.max(FACTOR_MAX * usual.run_delay) {
        return Some(format!("target without a CPU for {}", percent(delay)));
    }
    late(report)
}

/// Returns the reason that an open loop was not held: missing calls, delay by the generator, or a
/// growing backlog.
fn late(report: &Report) -> Option<String> {
    let offered = report.counts.offered_rps?;
    if report.counts.rps < offered * ACHIEVED_MIN {
        let share = report.counts.rps / offered * 100.0;
        return Some(format!("only {share:.1} % of the offered calls"));
    }
    let late = report.late_us?;
    if report.latency_us.is_mostly(&late, "p50") {
        return Some(format!("generator late by {:.0} µs", late.p50?));
    }
    report
        .fell_behind()
        .then(|| "the rate was not held: the backlog of calls grew".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Used;
    use crate::report::tests::report;

    const QUIET: Usual = Usual {
        steal: 0.01,
        run_delay: 0.0,
    };

    #[test]
    fn each_gate_closes() {
        let good = || {
            let mut report = report("--rate 999 --connections 2", 1996);
            report.counts.failed.clear();
            report
        };
        assert_eq!(rejection(&good(), QUIET), None);
        let mut stolen = good();
        stolen.cost.steal_share = Some(0.12);
        assert_eq!(rejection(&stolen, QUIET).unwrap(), "steal of 12.0 %");
        let usual = Usual::of([&stolen, &stolen, &good()].into_iter());
        assert_eq!(rejection(&stolen, usual), None, "most turns lost that much");
        let mut failed = good();
        failed.counts.failed.insert("INTERNAL".to_owned(), 1);
        assert_eq!(rejection(&failed, QUIET).unwrap(), "1 calls failed");
        let mut waiting = good();
        waiting.cost.target_use = Some(Used {
            run_delay_s: Some(0.2),
            ..Used::default()
        });
        assert!(rejection(&waiting, QUIET).unwrap().contains("10.0 %"));
        let mut short = good();
        short.counts.offered_rps = Some(short.counts.rps * 1.02);
        assert!(rejection(&short, QUIET).unwrap().contains("98.0 %"));
        let mut late = good();
        late.late_us = Some(late.latency_us);
        assert!(rejection(&late, QUIET).unwrap().contains("late"));
    }
}
