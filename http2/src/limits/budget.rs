//! A token bucket over the caller's time.

use core::time::Duration;

/// Largest number of tokens that finished work can add up to, in multiples of the capacity.
const EARNED_PER_CAPACITY: u32 = 10;

/// Token bucket: a peer's costs take tokens, time and its finished work add them.
///
/// Time fills the bucket up to its capacity. Work fills it further, so that a peer that has done
/// much may waste much, within a bound.
///
/// Time fills the bucket up to its capacity. Work fills it further, so that a peer that has done
/// much may waste much, within a bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    capacity: u32,
    earned_max: u32,
    per_second: u32,
    refilled_at_ms: u64,
}

impl Bucket {
    pub(crate) fn new(capacity: u32, per_second: u32) -> Self {
        Self {
            tokens: capacity,
            capacity,
            earned_max: capacity.saturating_mul(EARNED_PER_CAPACITY),
            per_second,
            refilled_at_ms: 0,
        }
    }

    /// Adds tokens for finished work.
    pub(crate) fn earn(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens).min(self.earned_max);
    }

    /// Fills the bucket to its capacity.
    pub(crate) fn fill(&mut self) {
        self.tokens = self.tokens.max(self.capacity);
    }

    /// Takes `tokens`. Returns `false` and empties the bucket if it holds fewer.
    pub(crate) fn charge(&mut self, tokens: u32, now: Duration) -> bool {
        // What was earned needs no look at the clock.
        if self.tokens < self.capacity.saturating_add(tokens) {
            self.refill(now);
        }
        let left = self.tokens.checked_sub(tokens);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }

    fn refill(&mut self, now: Duration) {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if self.tokens >= self.capacity {
            self.refilled_at_ms = now_ms;
            return;
        }
        let passed_ms = now_ms.saturating_sub(self.refilled_at_ms);
        let regained = passed_ms.saturating_mul(self.per_second.into()) / 1000;
        if regained > 0 {
            let regained = u32::try_from(regained).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(regained).min(self.capacity);
            self.refilled_at_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_spent_and_regained() {
        let at = Duration::from_secs;
        let mut bucket = Bucket::new(2, 1);
        assert!(bucket.charge(1, at(0)));
        assert!(bucket.charge(1, at(0)));
        assert!(!bucket.charge(1, at(0)));
        bucket.earn(1);
        assert!(bucket.charge(1, at(0)));
        assert!(!bucket.charge(1, at(0)));
        assert!(!bucket.charge(1, Duration::from_millis(999)));
        assert!(bucket.charge(1, at(1)));
        assert!(!bucket.charge(1, at(1)));
        assert!(!bucket.charge(3, at(100)), "more than it holds");
        assert!(bucket.charge(2, at(200)));
        bucket.fill();
        assert!(bucket.charge(2, at(200)));
        assert!(!bucket.charge(1, at(200)));
    }

    #[test]
    fn work_fills_a_bucket_beyond_its_capacity_and_time_does_not() {
        let at = Duration::from_secs;
        let mut bucket = Bucket::new(3, 1);
        bucket.earn(100);
        assert!(bucket.charge(30, at(0)));
        assert!(!bucket.charge(1, at(0)));
        bucket.earn(5);
        bucket.fill();
        assert!(bucket.charge(1, at(50)));
        assert!(bucket.charge(4, at(50)));
        assert!(!bucket.charge(1, at(50)));
        let mut unbounded = Bucket::new(u32::MAX, u32::MAX);
        unbounded.earn(u32::MAX);
        assert!(unbounded.charge(u32::MAX, at(1)));
        assert!(unbounded.charge(u32::MAX, at(1_000_000)));
    }

    #[test]
    fn time_counts_in_milliseconds() {
        let mut bucket = Bucket::new(10, 100);
        assert!(bucket.charge(10, Duration::ZERO));
        assert!(!bucket.charge(1, Duration::from_millis(9)));
        assert!(bucket.charge(1, Duration::from_millis(19)));
    }
}
