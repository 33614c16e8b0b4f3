//! Rate limit of log lines that peers cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Log lines of one kind that a shard writes in a second.
const LINES_PER_SECOND: u64 = 3;

/// Counter of log lines in the current second. One thread writes it; it is atomic because it is
/// stored with counters that other threads read.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    second: AtomicU64,
    lines: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    /// Admits a log line at `now` and returns the number of lines dropped before it; `None` drops
    /// the line.
    pub(crate) fn admit(&self, now: Duration) -> Option<u64> {
        let second = now.as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        if self.lines.load(Ordering::Relaxed) < LINES_PER_SECOND {
            self.lines.fetch_add(1, Ordering::Relaxed);
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_a_second_and_the_number_of_the_others() {
        let throttle = Throttle::default();
        let at = |ms| throttle.admit(Duration::from_millis(ms));
        assert_eq!([at(5000), at(5001), at(5500)], [Some(0); 3]);
        assert_eq!([at(5600), at(5999)], [None; 2]);
        assert_eq!([at(6000), at(6001)], [Some(2), Some(0)]);
        assert_eq!(at(7000), Some(0));
    }
}
