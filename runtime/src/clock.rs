//! The only clock: time since the epoch of this process.
//!
//! Every pure crate takes time as a [`Duration`] argument; this file is where such a value is born.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A fresh reading of the monotonic clock, as time since the epoch of this process.
///
/// The epoch is the first reading taken, so all shards of a process share one time line.
/// Inside a shard prefer [`turn_time`](crate::turn_time), which costs no clock reading.
pub fn now() -> Duration {
    EPOCH.elapsed()
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn time_never_runs_backwards() {
        let readings: Vec<_> = (0..1000).map(|_| now()).collect();
        assert!(readings.is_sorted());
    }
}
