//! A token bucket over the caller's time.

use core::time::Duration;

/// Drained by what a peer costs, refilled by time and by what it completes, so that clients that
/// cancel a lot but also finish work are left in peace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    tokens_max: u32,
    per_second: u32,
    refilled_at_s: u64,
}

impl Bucket {
    pub(crate) fn new(tokens_max: u32, per_second: u32) -> Self {
        Self {
            tokens: tokens_max,
            tokens_max,
            per_second,
            refilled_at_s: 0,
        }
    }

    /// Gives one token back.
    pub(crate) fn refund(&mut self) {
        self.tokens = self.tokens.saturating_add(1).min(self.tokens_max);
    }

    /// Takes `tokens`. False, with nothing left, when there are not as many.
    pub(crate) fn charge(&mut self, tokens: u32, now: Duration) -> bool {
        self.refill(now);
        let left = self.tokens.checked_sub(tokens);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }

    fn refill(&mut self, now: Duration) {
        let seconds = now.as_secs();
        let passed = seconds.saturating_sub(self.refilled_at_s);
        if passed > 0 {
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            let regained = passed.saturating_mul(self.per_second);
            self.tokens = self.tokens.saturating_add(regained).min(self.tokens_max);
            self.refilled_at_s = seconds;
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
        bucket.refund();
        assert!(bucket.charge(1, at(0)));
        assert!(!bucket.charge(1, at(0)));
        assert!(bucket.charge(1, at(1)));
        assert!(!bucket.charge(1, at(1)));
        assert!(!bucket.charge(3, at(100)), "more than it holds");
        assert!(bucket.charge(2, at(200)));
    }
}
