//! Shared state between the run and its threads, and the messages between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use corespun_runtime::Engine;

use crate::error::LoadError;
use crate::measure::{Interval, Record};
use crate::messages::Messages;
use crate::plan::Plan;
use crate::schedule::Sample;
use crate::tally::Tally;

/// State that the run shares with its cores.
#[derive(Debug)]
pub(crate) struct Control {
    begin_ns: AtomicU64,
    end_ns: AtomicU64,
    /// Calls that may still start, if `--calls` limits their number.
    startable: AtomicU64,
    /// Calls that have not ended yet, if `--calls` limits their number.
    unended: AtomicU64,
    /// End time of the last call so far, in ns, if `--calls` limits their number.
    ended_ns: AtomicU64,
}

impl Control {
    /// Returns the state before the run; `calls` is the limit of `--calls`.
    pub(crate) fn new(calls: Option<u64>) -> Self {
        let calls = calls.unwrap_or(u64::MAX);
        Self {
            begin_ns: AtomicU64::new(u64::MAX),
            end_ns: AtomicU64::new(u64::MAX),
            startable: AtomicU64::new(calls),
            unended: AtomicU64::new(calls),
            ended_ns: AtomicU64::new(0),
        }
    }

    /// Takes one call off the limit; returns `false` if none is left.
    pub(crate) fn take_call(&self) -> bool {
        let taken = self
            .startable
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.is_ok()
    }

    /// Returns a call to the limit that could not be sent.
    pub(crate) fn give_back(&self) {
        self.startable.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of a call under the limit, at `at`.
    pub(crate) fn call_ended(&self, at: Duration) {
        let nanos = at.as_nanos() as u64;
        self.ended_ns.fetch_max(nanos, Ordering::AcqRel);
        self.unended.fetch_sub(1, Ordering::AcqRel);
    }

    /// Returns the end time of the last call under the limit; `None` until all have ended.
    pub(crate) fn all_ended_at(&self) -> Option<Duration> {
        let all = self.unended.load(Ordering::Acquire) == 0;
        all.then(|| Duration::from_nanos(self.ended_ns.load(Ordering::Acquire)))
    }

    /// Sets the start time of calls.
    pub(crate) fn begin(&self, at: Duration) {
        self.begin_ns.store(at.as_nanos() as u64, Ordering::Release);
    }

    /// Stops the run at `at`, before its planned end.
    pub(crate) fn stop(&self, at: Duration) {
        self.end_ns.store(at.as_nanos() as u64, Ordering::Release);
    }

    /// Returns the start time of calls, once it is set.
    pub(crate) fn begins_at(&self) -> Option<Duration> {
        told(&self.begin_ns)
    }

    /// Returns the stop time, if the run was stopped.
    pub(crate) fn stops_at(&self) -> Option<Duration> {
        told(&self.end_ns)
    }
}

fn told(nanos: &AtomicU64) -> Option<Duration> {
    let nanos = nanos.load(Ordering::Acquire);
    (nanos != u64::MAX).then_some(Duration::from_nanos(nanos))
}

/// Message from a core to the run.
pub(crate) enum Told {
    /// Every connection of the core has received SETTINGS; the value is the core's engine.
    Ready(Engine),
    /// Counts of one second.
    Interval(Box<Interval>),
    /// The core has finished.
    Done(Box<Found>),
    /// The core has failed or panicked.
    Failed(LoadError),
}

/// Result of a core.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) messages: Messages,
    /// Counts of each method, in the order of the mix; empty for a single method.
    pub(crate) tallies: Vec<Tally>,
    /// Every call of the window, if calls are recorded.
    pub(crate) samples: Vec<Sample>,
}

/// Parameters of a core.
pub(crate) struct Seat {
    pub(crate) core: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) control: Arc<Control>,
    pub(crate) run: Sender<Told>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_it_is_said() {
        let control = Control::new(None);
        assert_eq!((control.begins_at(), control.stops_at()), (None, None));
        control.begin(Duration::from_nanos(5));
        control.stop(Duration::ZERO);
        assert_eq!(control.begins_at(), Some(Duration::from_nanos(5)));
        assert_eq!(control.stops_at(), Some(Duration::ZERO));
    }

    #[test]
    fn a_number_of_calls_is_taken_once() {
        let control = Control::new(Some(2));
        assert!(control.take_call() && control.take_call() && !control.take_call());
        control.give_back();
        assert!(control.take_call() && !control.take_call());
        control.call_ended(Duration::from_nanos(9));
        assert_eq!(control.all_ended_at(), None);
        control.call_ended(Duration::from_nanos(7));
        assert_eq!(control.all_ended_at(), Some(Duration::from_nanos(9)));
    }
}
