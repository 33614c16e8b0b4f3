//! CPU work for a handler, equal for each call.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Steps of one calibration run, and number of runs; the fastest run counts.
const STEPS: u64 = 200_000;
const TRIES: usize = 20;

/// Fixed number of steps, each of which needs the result of the previous one.
///
/// It is not a span of time. A handler that waited for a clock would finish on time even while
/// another program uses its CPU, so that overload would have no cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    steps: u64,
}

impl Work {
    /// Returns the number of steps that take this much CPU time on this machine now.
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

    /// Performs the work.
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

/// Measures the CPU time of this thread for `steps` steps.
fn cost_of(steps: u64) -> Duration {
    let before = cpu_time();
    Work { steps }.run();
    cpu_time().saturating_sub(before)
}

fn cpu_time() -> Duration {
    // Linux always has this clock; its failure would be a broken system.
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
