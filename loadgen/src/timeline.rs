//! Timeline of a run, merged from the intervals of all cores.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measure::{Interval, Phases};
use crate::report::Second;

/// Merger of the cores' intervals. Cores report at different times, so several intervals can be
/// incomplete at once; their start identifies them.
#[derive(Debug)]
pub(crate) struct Timeline {
    cores: usize,
    phases: Phases,
    incomplete: BTreeMap<Duration, (Interval, usize)>,
    seconds: Vec<Second>,
}

impl Timeline {
    /// Returns the timeline of this many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cores,
            phases: Phases::PENDING,
            incomplete: BTreeMap::new(),
            seconds: Vec::new(),
        }
    }

    /// Sets the phases, which may change later.
    pub(crate) fn set_phases(&mut self, phases: Phases) {
        self.phases = phases;
    }

    /// Adds an interval of a core; returns the merged interval once all cores have reported it.
    pub(crate) fn hear(&mut self, interval: Interval) -> Option<Interval> {
        let began = interval.span.0;
        let heard = match self.incomplete.get_mut(&began) {
            None => {
                self.incomplete.insert(began, (interval, 1));
                1
            }
            Some((sum, heard)) => {
                sum.add(&interval);
                *heard += 1;
                *heard
            }
        };
        if heard < self.cores {
            return None;
        }
        let (whole, _) = self.incomplete.remove(&began)?;
        self.keep(&whole);
        Some(whole)
    }

    /// Returns the interval in the form for progress.
    pub(crate) fn moment<'a>(&self, interval: &'a Interval) -> Moment<'a> {
        let (from, to) = interval.span;
        Moment {
            interval,
            since_begin: to.saturating_sub(self.phases.begin),
            since_measure: from.checked_sub(self.phases.measure),
            after_end: from >= self.phases.end,
        }
    }

    /// Takes the seconds of the window so far.
    pub(crate) fn take_seconds(&mut self) -> Vec<Second> {
        std::mem::take(&mut self.seconds)
    }

    fn keep(&mut self, interval: &Interval) {
        if let Some(at) = interval.span.0.checked_sub(self.phases.measure) {
            let second = Second::of(interval, at.as_secs_f64());
            if interval.span.0 < self.phases.end || second.calls > 0 {
                self.seconds.push(second);
            }
        }
    }
}

/// Interval with its position in the run.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Counts of the interval.
    pub interval: &'a Interval,
    /// End of the interval, since the first call.
    pub since_begin: Duration,
    /// Start of the interval, since the start of the measured window; `None` in the warm-up.
    pub since_measure: Option<Duration>,
    /// True if the window was over: the counted calls were in flight at its end.
    pub after_end: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Record, Times};
    use crate::outcome::Outcome;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const PHASES: Phases = Phases {
        begin: at(0),
        measure: at(1),
        end: at(3),
    };

    fn interval(from: u64, calls: u64) -> Interval {
        let mut record = Record::default();
        let times = Times {
            intended: at(1),
            ready: at(1),
            sent: at(1),
            first: None,
            ended: at(2),
        };
        (0..calls).for_each(|_| record.ended(&PHASES, times, Outcome::OK));
        record.take_interval((at(from), at(from + 1)))
    }

    #[test]
    fn an_interval_is_whole_when_all_cores_have_told_theirs() {
        let mut timeline = Timeline::new(2);
        timeline.set_phases(PHASES);
        assert!(timeline.hear(interval(0, 0)).is_none());
        assert!(timeline.hear(interval(1, 2)).is_none());
        let warmup = timeline.hear(interval(0, 0)).unwrap();
        assert_eq!(timeline.moment(&warmup).since_measure, None);
        let whole = timeline.hear(interval(1, 3)).unwrap();
        assert_eq!(whole.measured.response.len(), 5);
        let moment = timeline.moment(&whole);
        assert_eq!(moment.since_begin, at(2));
        assert_eq!(moment.since_measure, Some(at(0)));
        for (from, calls) in [(3, 0), (3, 0), (2, 0), (2, 0)] {
            timeline.hear(interval(from, calls));
        }
        let shown: Vec<_> = timeline
            .take_seconds()
            .iter()
            .map(|second| (second.at_s, second.calls))
            .collect();
        assert_eq!(
            shown,
            [(0.0, 5), (1.0, 0)],
            "nothing ended after the window"
        );
    }
}
