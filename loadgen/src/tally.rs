//! What is counted of each method of a mix.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::measure::{Phases, Times, add, histogram};
use crate::outcome::Outcome;

/// The calls of one method that were meant to start in the window and were sent.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many ended well.
    pub ok: u64,
    /// How many did not.
    pub failed: u64,
    /// How many had not ended when the run did.
    pub censored: u64,
    /// From the intended start to the end, in ns, of all; of the censored their age.
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
    /// A call has ended.
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

    /// A call has not ended, at this age.
    pub(crate) fn censored(&mut self, age: Duration) {
        self.censored += 1;
        self.record(age);
    }

    fn record(&mut self, took: Duration) {
        self.response.saturating_record(took.as_nanos() as u64);
    }

    /// Adds what another core, or another run, counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.censored += other.censored;
        add(&mut self.response, &other.response);
    }
}

/// Adds the tallies of the same methods in the same order; `ours` may be none yet.
pub(crate) fn merge_all(ours: &mut Vec<Tally>, theirs: Vec<Tally>) {
    if ours.is_empty() {
        *ours = theirs;
        return;
    }
    ours.iter_mut()
        .zip(&theirs)
        .for_each(|(ours, theirs)| ours.merge(theirs));
}
