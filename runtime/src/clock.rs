//! The only clock: time since the epoch of this process.
//!
//! Every pure crate takes time as a [`Duration`] argument; this file is where such a value is born.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A fresh reading of the monotonic clock, as time since the epoch of this process.
///
/// The epoch is the first reading taken, so all shards of a process share one time line.
/// Inside a shard prefer [`turn_time`](crate::turn_time), which costs no clock reading.
pub fn now() -> Duration {
    EPOCH.elapsed()
}

/// The time of day at `moment`, a time since the epoch of this process, for people and for other
/// machines. As right as the system's clock is now.
pub fn wall_time(moment: Duration) -> SystemTime {
    let ago = now().saturating_sub(moment);
    let wall = SystemTime::now();
    wall.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{now, wall_time};

    #[test]
    fn wall_time_goes_with_ours() {
        let then = now();
        let wall = SystemTime::now();
        let apart = |moment| match wall.duration_since(wall_time(moment)) {
            Ok(before) => before,
            Err(after) => after.duration(),
        };
        assert!(apart(then) < Duration::from_secs(60));
    }

    #[test]
    fn time_never_runs_backwards() {
        let readings: Vec<_> = (0..1000).map(|_| now()).collect();
        assert!(readings.is_sorted());
    }
}
