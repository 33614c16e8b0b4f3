//! Counters of each method of a mix.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::measure::{Phases, Times, add, histogram};
use crate::outcome::Outcome;

/// Calls of one method that were meant to start in the window and were sent.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Number of successful calls.
    pub ok: u64,
    /// Number of failed calls.
    pub failed: u64,
    /// Number of calls that had not ended when the run ended.
    pub censored: u64,
    /// Time in ns from the intended start to the end, for all calls; the age of censored calls.
    pub response: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            ok: 0,
            failed: 0,
            censored: 0,
            response: histogram(),
        }
    }
}

impl Tally {
    /// Counts a call that has ended.
    pub(crate) fn ended(&mut self, phases: &Phases, times: Times, outcome: Outcome) {
        if !phases.measured(times.intended) {
            return;
        }
        match outcome {
            Outcome::OK => self.ok += 1,
            _ => self.failed += 1,
        }
        self.record(times.ended.saturating_sub(times.intended));
    }

    /// Counts a call that has not ended, with its age.
    pub(crate) fn censored(&mut self, age: Duration) {
        self.censored += 1;
        self.record(age);
    }

    fn record(&mut self, took: Duration) {
        self.response.saturating_record(took.as_nanos() as u64);
    }

    /// Adds the counts of another core or another run.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.censored += other.censored;
        add(&mut self.response, &other.response);
    }
}

/// Adds tallies of equal methods in equal order; `ours` may be empty.
pub(crate) fn merge_all(ours: &mut Vec<Tally>, theirs: Vec<Tally>) {
    if ours.is_empty() {
        *ours = theirs;
        return;
    }
    ours.iter_mut()
        .zip(&theirs)
        .for_each(|(ours, theirs)| ours.merge(theirs));
}
