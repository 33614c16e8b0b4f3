//! Whether the rate was held, told by what was under way at both ends of the window.
//!
//! Calls that end after the window hide from `rps` that they fall behind. What is under way does
//! not hide it: it grows for as long as the rate is above what target, streams or generator can do.

use std::time::Duration;

use super::Report;
use crate::measure::Record;
use crate::plan::Plan;
use crate::schedule::Schedule;

/// By how much of the calls asked for a backlog may grow without meaning anything, …
const BACKLOG_SHARE_MAX: f64 = 0.01;

/// … and by how many calls, for there is chance in small numbers.
const BACKLOG_MIN: f64 = 10.0;

impl Report {
    /// How many calls were in flight or due when the window began, and when it ended, where that
    /// tells whether the target kept up with the rate.
    pub fn backlog(&self) -> Option<(u64, u64)> {
        let counts = &self.counts;
        let asked = counts.ok + self.failed() + counts.censored;
        let before = counts.carried_in?;
        Some((
            before,
            (before + asked).saturating_sub(counts.ended_in_window),
        ))
    }

    /// The rate was not held: far more calls were under way at the end of the
    /// window than when it began.
    pub fn fell_behind(&self) -> bool {
        let asked = self.counts.offered_rps.unwrap_or_default() * self.setup.duration_s;
        let leeway = BACKLOG_SHARE_MAX * asked + BACKLOG_MIN;
        self.backlog()
            .is_some_and(|(before, after)| after as f64 > 1.5 * before as f64 + leeway)
    }
}

/// At the beginning of the window as many calls were in flight as a target that keeps up would
/// have at any moment: the rate is steady, and the first calls had the time to end.
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
