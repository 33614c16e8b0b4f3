//! Detection of a rate that was not held, from the calls in flight or due at both ends of the
//! window.
//!
//! The number of calls that end after the window is not visible in `rps`. The backlog of calls in
//! flight or due is: it grows as long as the rate is higher than target, streams or generator can
//! serve.

use std::time::Duration;

use super::Report;
use crate::measure::Record;
use crate::plan::Plan;
use crate::schedule::Schedule;

/// Largest growth of the backlog that is ignored, as a share of the calls that were due.
const BACKLOG_SHARE_MAX: f64 = 0.01;

/// Largest growth of the backlog in calls that is ignored, because small numbers vary by chance.
const BACKLOG_MIN: f64 = 10.0;

impl Report {
    /// Returns the calls in flight or due at the start and at the end of the window; `None` if
    /// these do not show whether the target kept up with the rate.
    pub fn backlog(&self) -> Option<(u64, u64)> {
        let counts = &self.counts;
        let asked = counts.ok + self.failed() + counts.censored;
        let before = counts.carried_in?;
        Some((
            before,
            (before + asked).saturating_sub(counts.ended_in_window),
        ))
    }

    /// Returns true if the rate was not held: far more calls were in flight or due at the end of
    /// the window than at its start.
    pub fn fell_behind(&self) -> bool {
        let asked = self.counts.offered_rps.unwrap_or_default() * self.setup.duration_s;
        let leeway = BACKLOG_SHARE_MAX * asked + BACKLOG_MIN;
        self.backlog()
            .is_some_and(|(before, after)| after as f64 > 1.5 * before as f64 + leeway)
    }
}

/// Returns true if the number of calls in flight at the start of the window is typical of a target
/// that keeps up: the rate is constant, and the first calls had the time to end.
pub(super) fn is_told(plan: &Plan, record: &Record) -> bool {
    let steady = plan.schedule.as_ref().is_some_and(Schedule::is_steady);
    let longest = record.latencies.response.value_at_quantile(0.99);
    steady && Duration::from_nanos(longest) <= plan.pace.warmup
}

#[cfg(test)]
mod tests {
    use crate::report::tests::report;

    #[test]
    fn a_backlog_that_grows_is_told_from_chance() {
        // 1998 calls were asked for.
        let mut run = report("--rate 999 --connections 2", 1996);
        for (before, ended, behind) in [
            (5, 1998, false),
            (5, 1970, false),
            (5, 1960, true),
            (200, 1870, false),
            (200, 1860, true),
        ] {
            run.counts.carried_in = Some(before);
            run.counts.ended_in_window = ended;
            assert_eq!(run.backlog(), Some((before, before + 1998 - ended)));
            assert_eq!(run.fell_behind(), behind, "{before} {ended}");
        }
        run.counts.carried_in = None;
        assert!(!run.fell_behind());
    }

    #[test]
    fn only_a_steady_rate_with_a_warm_up_tells_of_it() {
        let told = |flags: &str| report(flags, 1996).counts.carried_in.is_some();
        assert!(told("--rate 9") && told("--rate 9 --schedule poisson"));
        assert!(!told("--rate 9 --warmup 0s") && !told("--rate 9 --schedule bursts:5"));
        assert!(!told(""));
    }
}
