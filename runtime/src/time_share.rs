//! Limit on the time of work that is done in many small steps.

use std::time::Duration;

use crate::clock;

/// Divisor of a time limit that gives the interval to aim at between two clock readings.
const READINGS_PER_LIMIT: u64 = 8;

/// Smallest number of clock readings that a scaled limit has time for: 0.2 ms at 20 ns each.
const LIMIT_READINGS: u32 = 10_000;

/// Largest number of steps between two clock readings.
const STRIDE_MAX: u32 = 128;

/// Number of limits after which a turn counts as long.
const LONG_TURN: u64 = 2;

/// Divisor of the limit in a turn that is long already.
const LONG_TURN_PART: u64 = 5;

/// Limit on the time that a piece of work takes in one turn, which seldom reads the clock.
///
/// Work counts its steps. The clock is read after the first few, then after twice as many each time
/// while that takes less than an eighth of the limit. Slow steps are measured one by one, also at
/// the start of the next turn, which then is a reading too. A limit of zero means no limit.
///
/// Several pieces of work in one turn get less time each: a fifth of the limit once the turn has
/// taken twice the limit.
#[derive(Debug)]
pub struct TimeShare {
    limit_ns: u64,
    /// Largest number of steps before the first reading.
    unmeasured: u32,
    stride: u32,
    /// Number of steps until the next reading.
    left: u32,
    /// Start of the turn in nanoseconds, if its length matters.
    turn_ns: u64,
    /// First reading of this turn in nanoseconds; 0 before it.
    began_ns: u64,
    last_ns: u64,
}

impl TimeShare {
    /// Creates a limit that reads no clock in turns of fewer than `unmeasured` steps.
    pub const fn new(limit: Duration, unmeasured: u32) -> Self {
        Self {
            limit_ns: limit.as_nanos() as u64,
            unmeasured,
            stride: unmeasured,
            left: 0,
            turn_ns: u64::MAX,
            began_ns: 0,
            last_ns: 0,
        }
    }

    /// Creates a limit that is at least as long as 10,000 clock readings take. On a processor that
    /// is emulated or instrumented, all work takes many times as long, and pieces cut by the time
    /// of others would be as small as the cost of cutting them.
    pub fn scaled(limit: Duration, unmeasured: u32) -> Self {
        Self::new(
            limit.max(clock::reading_time() * LIMIT_READINGS),
            unmeasured,
        )
    }

    /// Begins a turn; `turn` is its start if other pieces of work share it.
    #[inline]
    pub fn begin(&mut self, turn: Option<Duration>) {
        self.begin_at(turn, clock::now);
    }

    #[inline]
    fn begin_at(&mut self, turn: Option<Duration>, now: impl FnOnce() -> Duration) {
        self.turn_ns = turn.map_or(u64::MAX, |turn| turn.as_nanos() as u64);
        self.began_ns = 0;
        self.stride = self.stride.min(self.unmeasured);
        self.left = match self.limit_ns {
            0 => u32::MAX,
            _ => self.stride,
        };
        if self.stride == 1 {
            self.measure(now);
        }
    }

    /// Counts a step. Returns `true` if the time of this turn is used up.
    #[inline(always)]
    pub fn is_used_up(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0 && self.measure(clock::now)
    }

    #[cold]
    #[inline(never)]
    fn measure(&mut self, now: impl FnOnce() -> Duration) -> bool {
        if self.limit_ns == 0 {
            return false;
        }
        let now = (now().as_nanos() as u64).max(1);
        let last = std::mem::replace(&mut self.last_ns, now);
        if self.began_ns == 0 {
            self.began_ns = now;
            self.left = self.stride;
            return false;
        }
        let (took, wanted) = (now - last, self.limit_ns / READINGS_PER_LIMIT);
        self.stride = if took <= wanted {
            // No more than doubled: a few short steps say little of those behind them.
            self.stride.saturating_mul(2).min(STRIDE_MAX)
        } else {
            // Fewer than before, as it took longer than wanted.
            (u64::from(self.stride) * wanted / took).max(1) as u32
        };
        let is_long = self.began_ns.saturating_sub(self.turn_ns) > LONG_TURN * self.limit_ns;
        let part = if is_long { LONG_TURN_PART } else { 1 };
        let is_used_up = now - self.began_ns >= self.limit_ns / part;
        // Whoever asks again in the same turn is told again.
        self.left = if is_used_up { 1 } else { self.stride };
        is_used_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(800);
    const BEGAN: Duration = Duration::from_secs(1);

    /// Takes up to 1000 steps of `step`. Returns the number of steps that fitted and the number of
    /// clock readings.
    fn turn(share: &mut TimeShare, step: Duration) -> (u32, u32) {
        let mut readings = u32::from(share.stride == 1);
        share.begin_at(None, || BEGAN);
        for done in 1..=1000 {
            share.left = share.left.saturating_sub(1);
            if share.left > 0 {
                continue;
            }
            readings += 1;
            if share.measure(|| BEGAN + step * done) {
                return (done, readings);
            }
        }
        (1000, readings)
    }

    #[test]
    fn long_steps_are_measured_one_by_one() {
        let mut share = TimeShare::new(LIMIT, 4);
        // Nothing is known before the first reading.
        assert_eq!(turn(&mut share, Duration::from_micros(400)), (8, 2));
        assert_eq!(turn(&mut share, Duration::from_micros(400)), (2, 3));
        assert_eq!(turn(&mut share, Duration::from_micros(799)), (2, 3));
        assert_eq!(turn(&mut share, LIMIT), (1, 2));
        assert_eq!(turn(&mut share, Duration::from_secs(1)), (1, 2));
        // Short steps are soon believed again.
        assert_eq!(turn(&mut share, Duration::from_nanos(100)).0, 1000);
        assert_eq!(share.stride, STRIDE_MAX);
        share.begin_at(None, || panic!("read at the start"));
        assert_eq!(share.stride, 4);
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
        assert_eq!(turn(&mut share, LIMIT), (1, 2));
    }

    #[test]
    fn a_long_turn_leaves_less() {
        let at = |micros: u64| Duration::from_micros(10_000 + micros);
        for (turn, began, ended, is_used_up) in [
            (Some(at(0)), 1600, 1600 + 799, false),
            (Some(at(0)), 1600, 1600 + 800, true),
            (Some(at(0)), 1601, 1601 + 159, false),
            (Some(at(0)), 1601, 1601 + 160, true),
            (None, 1601, 1601 + 799, false),
            // A moment that is still to come, as where a test plays the clock.
            (Some(at(9000)), 1601, 1601 + 799, false),
        ] {
            let mut share = TimeShare::new(LIMIT, 4);
            share.begin(turn);
            assert!(!share.measure(|| at(began)));
            let case = format!("{turn:?} {began} {ended}");
            assert_eq!(share.measure(|| at(ended)), is_used_up, "{case}");
            assert!(!is_used_up || share.left == 1, "{case}");
        }
    }

    #[test]
    fn limits_grow_with_the_time_that_a_reading_takes() {
        let shortest = clock::reading_time() * LIMIT_READINGS;
        for (limit, expected) in [
            (Duration::from_nanos(1), shortest),
            (Duration::from_secs(3600), Duration::from_secs(3600)),
        ] {
            let share = TimeShare::scaled(limit, 4);
            assert_eq!(u128::from(share.limit_ns), expected.as_nanos(), "{limit:?}");
        }
    }

    #[test]
    fn no_limit_reads_no_clock() {
        let mut share = TimeShare::new(Duration::ZERO, 1);
        share.begin(None);
        assert!((0..10_000).all(|_| !share.is_used_up()));
        assert_eq!(share.began_ns, 0);
        // Nor does a share that was never begun.
        assert!(!TimeShare::new(Duration::ZERO, 1).is_used_up());
    }
}
