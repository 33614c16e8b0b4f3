//! Rate limit on log lines: at most one a second for events that may happen thousands of times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Minimum time between two lines.
const PAUSE: Duration = Duration::from_secs(1);

/// Log lines of one kind, on all shards together.
pub(crate) struct Rare {
    /// Moment on the process's clock before which there is no further line, in nanoseconds.
    quiet_until: AtomicU64,
    left_out: AtomicU64,
}

impl Rare {
    pub(crate) const fn new() -> Self {
        Self {
            quiet_until: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// Returns the number of lines omitted since the last one if a line is allowed at `now`, else
    /// counts this line as omitted and returns `None`.
    #[cold]
    pub(crate) fn admit(&self, now: Duration) -> Option<u64> {
        let now_ns = now.as_nanos() as u64;
        let until = self.quiet_until.load(Ordering::Relaxed);
        let next = now_ns.saturating_add(PAUSE.as_nanos() as u64);
        let (relaxed, quiet) = (Ordering::Relaxed, &self.quiet_until);
        // Of several shards that come at once, one has the line.
        if now_ns < until
            || quiet
                .compare_exchange(until, next, relaxed, relaxed)
                .is_err()
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::Rare;
    use std::time::Duration;

    #[test]
    fn a_line_a_second_with_the_number_left_out() {
        let rare = Rare::new();
        let at = |millis| rare.admit(Duration::from_millis(millis));
        assert_eq!(at(5), Some(0), "the first at once");
        assert_eq!((at(5), at(900), at(1004)), (None, None, None));
        assert_eq!(at(1005), Some(3));
        assert_eq!(at(2004), None);
        assert_eq!(at(9000), Some(1));
        assert_eq!(at(10_000), Some(0));
    }
}
