//! Share of one connection in a schedule: absolute times that are never skipped or shifted.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::{Arrivals, Curve, Schedule, Trace};
use crate::measure::Phases;

/// Connection that a timetable is for, the number of connections, and the seed.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Index of the connection, below `lanes`.
    pub lane: usize,
    /// Total number of connections.
    pub lanes: usize,
    /// Seed of the whole run.
    pub seed: u64,
}

impl Share {
    /// Returns the random numbers of the connection.
    pub fn rng(self) -> Rng {
        // Spread by a large odd number, so that neighbouring seeds have nothing in common.
        let lane = (self.lane as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng::with_seed(self.seed ^ lane)
    }
}

/// Intended start times of one connection.
///
/// The whole run has one schedule: connection `c` of `C` takes the calls `c`, `c + C`, `c + 2C`, …
/// For random calls each connection is a Poisson process with a `C`-th of the rate, because the sum
/// of `C` such processes is one with the whole rate. Every time is computed from the call's
/// position, so that errors do not accumulate and a late call does not delay the next one.
///
/// The warm-up has a separate schedule at a constant rate, which ends where the window begins.
#[derive(Clone, Debug)]
pub struct Timetable {
    plan: Plan,
    share: Share,
    rng: Rng,
    warmup_rate: f64,
    begin: Duration,
    measure: Duration,
    stage: Stage,
    /// Number of calls taken in this stage.
    taken: u64,
    /// Position of the last random call on the curve.
    position: f64,
    next: Duration,
}

#[derive(Clone, Debug)]
enum Plan {
    Rate(Curve, Arrivals),
    Trace(Arc<Trace>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Warmup,
    Window,
}

impl Timetable {
    /// Returns the share of one connection in a schedule, for a window of this length. No call is
    /// due before [`Timetable::start`].
    pub fn new(schedule: &Schedule, share: Share, window: Duration) -> Self {
        debug_assert!(share.lane < share.lanes);
        let plan = match schedule {
            Schedule::Rate { curve, arrivals } => Plan::Rate(curve.clone(), *arrivals),
            Schedule::Trace(trace) => Plan::Trace(trace.clone()),
        };
        Self {
            plan,
            share,
            rng: share.rng(),
            warmup_rate: schedule.warmup_rate(window),
            begin: Duration::MAX,
            measure: Duration::MAX,
            stage: Stage::Warmup,
            taken: 0,
            position: 0.0,
            next: Duration::MAX,
        }
    }

    /// Sets the start times of warm-up and window.
    pub fn start(&mut self, phases: &Phases) {
        self.begin = phases.begin;
        self.measure = phases.measure;
        self.find_next();
    }

    /// Returns the time of the next call; `Duration::MAX` if there is none.
    pub fn next_due(&self) -> Duration {
        self.next
    }

    /// Removes the next call from the timetable, and returns its time.
    pub fn take(&mut self) -> Duration {
        let due = self.next;
        self.taken += 1;
        self.find_next();
        due
    }

    fn find_next(&mut self) {
        if self.stage == Stage::Warmup {
            self.next = match self.warmup_rate > 0.0 {
                true => after(self.begin, self.dealt() as f64 / self.warmup_rate),
                false => Duration::MAX,
            };
            if self.next < self.measure {
                return;
            }
            self.stage = Stage::Window;
            self.taken = 0;
        }
        self.next = match &self.plan {
            Plan::Trace(trace) => match trace.offset(self.dealt()) {
                Some(offset) => self.measure + offset,
                None => Duration::MAX,
            },
            Plan::Rate(curve, arrivals) => {
                let position = match arrivals {
                    Arrivals::Even => self.dealt() as f64,
                    Arrivals::Bursts(size) => {
                        let size = u64::from(*size);
                        (self.dealt() / size * size) as f64
                    }
                    Arrivals::Poisson => {
                        // 1 - f64() is never 0, whose logarithm is infinite.
                        let gap = -(1.0 - self.rng.f64()).ln();
                        self.position += gap * self.share.lanes as f64;
                        self.position
                    }
                };
                after(self.measure, curve.time_of(position))
            }
        };
    }

    /// Returns the number of the next call in the whole run.
    fn dealt(&self) -> u64 {
        self.share.lane as u64 + self.taken * self.share.lanes as u64
    }
}

fn after(start: Duration, seconds: f64) -> Duration {
    let nanos = (seconds * 1e9).round();
    if nanos < u64::MAX as f64 {
        start.saturating_add(Duration::from_nanos(nanos as u64))
    } else {
        Duration::MAX
    }
}

#[cfg(test)]
mod tests;
