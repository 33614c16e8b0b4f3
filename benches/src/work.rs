//! Work for a handler that is to cost CPU time, the same for each call.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Steps that a calibration takes at a time, and how often: the fastest counts.
const STEPS: u64 = 200_000;
const TRIES: usize = 20;

/// A fixed number of steps, each of which needs the result of the one before.
///
/// Not a span of time: a handler that waited for a clock would finish on time also while another
/// program has its CPU, so that overload would cost nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    steps: u64,
}

impl Work {
    /// As many steps as take so much CPU time on this machine now.
    pub fn lasting(time: Duration) -> Self {
        if time.is_zero() {
            return Self::default();
        }
        let fastest = (0..TRIES).map(|_| cost_of(STEPS)).min().unwrap_or_default();
        let steps = time.as_nanos() * u128::from(STEPS) / fastest.as_nanos().max(1);
        Self {
            steps: u64::try_from(steps).unwrap_or(u64::MAX),
        }
    }

    /// Does the work.
    pub fn run(self) {
        let mut state = black_box(1_u64);
        for _ in 0..self.steps {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        black_box(state);
    }
}

/// CPU time of this thread for so many steps.
fn cost_of(steps: u64) -> Duration {
    let before = cpu_time();
    Work { steps }.run();
    cpu_time().saturating_sub(before)
}

fn cpu_time() -> Duration {
    // Linux has had this clock for ever; a thread that cannot read it has other troubles.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_time_is_twice_the_work() {
        assert_eq!(Work::lasting(Duration::ZERO).steps, 0);
        let (one, two) = (Work { steps: 100_000 }, Work { steps: 400_000 });
        let cost = |work: Work| (0..TRIES).map(|_| cost_of(work.steps)).min();
        assert!(cost(one) < cost(two), "{:?} {:?}", cost(one), cost(two));
        assert!(Work::lasting(Duration::from_micros(100)).steps > 1000);
    }
}
