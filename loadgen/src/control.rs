//! What the run and its cores say to each other: the only state that threads share.

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

/// What the run tells its cores.
#[derive(Debug)]
pub(crate) struct Control {
    begin_ns: AtomicU64,
    end_ns: AtomicU64,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self {
            begin_ns: AtomicU64::new(u64::MAX),
            end_ns: AtomicU64::new(u64::MAX),
        }
    }

    /// Calls start at `at`.
    pub(crate) fn begin(&self, at: Duration) {
        self.begin_ns.store(at.as_nanos() as u64, Ordering::Release);
    }

    /// The run ends at `at`, whatever was planned.
    pub(crate) fn stop(&self, at: Duration) {
        self.end_ns.store(at.as_nanos() as u64, Ordering::Release);
    }

    /// When calls start, once that is known.
    pub(crate) fn begins_at(&self) -> Option<Duration> {
        told(&self.begin_ns)
    }

    /// When the run was stopped, if it was.
    pub(crate) fn stops_at(&self) -> Option<Duration> {
        told(&self.end_ns)
    }
}

fn told(nanos: &AtomicU64) -> Option<Duration> {
    let nanos = nanos.load(Ordering::Acquire);
    (nanos != u64::MAX).then_some(Duration::from_nanos(nanos))
}

/// What a core tells the run.
pub(crate) enum Told {
    /// Every connection of the core has spoken HTTP/2; this is what drives them.
    Ready(Engine),
    /// A second of the run.
    Interval(Box<Interval>),
    /// The core has finished.
    Done(Box<Found>),
    /// The core has given up, or panicked.
    Failed(LoadError),
}

/// What a core has found when it has finished.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) messages: Messages,
    /// By the place in the mix; none if that has only one call.
    pub(crate) tallies: Vec<Tally>,
    /// Every call of the window, if they are recorded.
    pub(crate) samples: Vec<Sample>,
}

/// What a core is given.
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
        let control = Control::new();
        assert_eq!((control.begins_at(), control.stops_at()), (None, None));
        control.begin(Duration::from_nanos(5));
        control.stop(Duration::ZERO);
        assert_eq!(control.begins_at(), Some(Duration::from_nanos(5)));
        assert_eq!(control.stops_at(), Some(Duration::ZERO));
    }
}
