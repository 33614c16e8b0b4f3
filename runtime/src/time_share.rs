//! A bound on the time of work that is done in many small steps.

use std::time::Duration;

use crate::clock;

/// Readings of the clock that a time limit is worth.
const READINGS_PER_LIMIT: u32 = 8;

/// Steps between two readings of the clock, at most.
const STRIDE_MAX: u32 = 128;

/// Bound on the time that a piece of work takes in one turn, which seldom reads the clock.
///
/// Work counts its steps. The clock is read after the first few, then after twice as many each
/// time while that takes less than an eighth of the limit. Steps that take long are measured one
/// by one, also at the start of the next turn. A limit of zero stands for none.
#[derive(Debug)]
pub struct TimeShare {
    limit: Duration,
    /// Steps before the first reading, at most.
    unmeasured: u32,
    stride: u32,
    /// Steps until the next reading.
    left: u32,
    /// First and last reading of this turn.
    readings: Option<(Duration, Duration)>,
}

impl TimeShare {
    /// Creates a share of `limit` that reads no clock in turns of fewer than `unmeasured` steps.
    pub const fn new(limit: Duration, unmeasured: u32) -> Self {
        Self {
            limit,
            unmeasured,
            stride: 1,
            left: 0,
            readings: None,
        }
    }

    /// Begins a turn.
    #[inline]
    pub fn begin(&mut self) {
        self.readings = None;
        self.stride = self.stride.min(self.unmeasured);
        self.left = match self.limit {
            Duration::ZERO => u32::MAX,
            _ => self.stride,
        };
    }

    /// Counts a step. Returns whether the time of this turn is used up.
    #[inline(always)]
    pub fn is_used_up(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0 && self.measure(clock::now)
    }

    #[cold]
    #[inline(never)]
    fn measure(&mut self, now: impl FnOnce() -> Duration) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        let now = now();
        let Some((began, last)) = self.readings else {
            self.readings = Some((now, now));
            self.left = self.stride;
            return false;
        };
        self.readings = Some((began, now));
        let (took, wanted) = (now - last, self.limit / READINGS_PER_LIMIT);
        self.stride = if took <= wanted {
            // No more than doubled: a few short steps say little of those behind them.
            self.stride.saturating_mul(2).min(STRIDE_MAX)
        } else {
            let steps = u128::from(self.stride) * wanted.as_nanos() / took.as_nanos();
            u32::try_from(steps).unwrap_or(STRIDE_MAX).max(1)
        };
        self.left = self.stride;
        now - began >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(800);

    /// Takes up to 1000 steps of `step`, and returns how many fitted and how often the clock was
    /// read.
    fn turn(share: &mut TimeShare, step: Duration) -> (u32, u32) {
        share.begin();
        let mut readings = 0;
        for done in 1..=1000 {
            share.left = share.left.saturating_sub(1);
            if share.left > 0 {
                continue;
            }
            readings += 1;
            if share.measure(|| step * done) {
                return (done, readings);
            }
        }
        (1000, readings)
    }

    #[test]
    fn long_steps_are_measured_one_by_one() {
        let mut share = TimeShare::new(LIMIT, 4);
        // The first reading is after the first step, whose time is not known.
        assert_eq!(turn(&mut share, Duration::from_micros(400)), (3, 3));
        assert_eq!(turn(&mut share, Duration::from_micros(400)), (3, 3));
        assert_eq!(turn(&mut share, Duration::from_micros(799)), (3, 3));
        assert_eq!(turn(&mut share, LIMIT), (2, 2));
        assert_eq!(turn(&mut share, Duration::from_secs(1)), (2, 2));
    }

    #[test]
    fn short_steps_cost_few_readings() {
        let mut share = TimeShare::new(LIMIT, 4);
        let step = Duration::from_nanos(100);
        let (done, readings) = turn(&mut share, step);
        assert!(done == 1000 && readings <= 14, "{done} {readings}");
        assert_eq!(turn(&mut share, step).0, 1000);
        assert_eq!(share.stride, STRIDE_MAX);
        // Steps that take longer all at once are noticed after the first few.
        assert_eq!(turn(&mut share, LIMIT), (8, 2));
        assert_eq!(turn(&mut share, LIMIT), (2, 2));
    }

    #[test]
    fn no_limit_reads_no_clock() {
        let mut share = TimeShare::new(Duration::ZERO, 1);
        share.begin();
        assert!((0..10_000).all(|_| !share.is_used_up()));
        assert!(share.readings.is_none());
        // Nor does a share that was never begun.
        assert!(!TimeShare::new(Duration::ZERO, 1).is_used_up());
    }
}
