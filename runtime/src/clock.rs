//! Clock of the process: time since its epoch.
//!
//! Every crate without I/O takes time as a [`Duration`] argument; such values come from this file.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Pairs of readings that measure how long one takes.
const READINGS: u32 = 64;

/// Reads the monotonic clock, as time since the epoch of this process.
///
/// The epoch is the first reading taken, so all shards of a process share one time line.
/// Inside a shard prefer [`turn_time`](crate::turn_time), which costs no clock reading.
pub fn now() -> Duration {
    EPOCH.elapsed()
}

/// Returns the time that one reading of the clock takes: the shortest of many, measured once.
pub(crate) fn reading_time() -> Duration {
    static SHORTEST: LazyLock<Duration> = LazyLock::new(|| {
        let pairs = (0..READINGS).map(|_| (now(), now()));
        let times = pairs.map(|(first, second)| second - first);
        times.min().unwrap_or_default()
    });
    *SHORTEST
}

/// Returns the time of day at `moment`, a time since the epoch of this process, for display and for
/// other machines. It is as accurate as the system's clock is now.
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
