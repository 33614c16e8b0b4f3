//! How often the callers of a server exceeded each limit, for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corespun_http2::{Limit, LimitHits};

use crate::throttle::Throttle;

/// The counts of a server, readable from any thread while it runs and after.
///
/// Cheap to clone; all clones show the same counts. Counting costs something only when a limit
/// is exceeded.
#[derive(Clone, Debug, Default)]
pub struct LimitStats {
    shards: Arc<Mutex<Vec<Arc<LimitCounts>>>>,
}

impl LimitStats {
    /// How often each limit was exceeded, on all shards, since the server began.
    pub fn total(&self) -> LimitHits {
        let mut total = LimitHits::NONE;
        for hits in self.by_shard() {
            hits.iter()
                .for_each(|(limit, count)| total.add(limit, count));
        }
        total
    }

    /// The same for each shard that has started, in the order of their start.
    pub fn by_shard(&self) -> Vec<LimitHits> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|counts| counts.snapshot()).collect()
    }

    /// The counts of one more shard.
    pub(crate) fn add_shard(&self) -> Arc<LimitCounts> {
        let counts = Arc::<LimitCounts>::default();
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.push(Arc::clone(&counts));
        counts
    }
}

/// What the connections of one shard add to. Atomic only so that others may read: one thread
/// writes, and only when a limit was exceeded.
#[derive(Debug)]
pub(crate) struct LimitCounts {
    counts: Box<[AtomicU64]>,
    /// Rate limit of log lines about ends.
    pub(crate) throttle: Throttle,
}

impl Default for LimitCounts {
    fn default() -> Self {
        Self {
            counts: Limit::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            throttle: Throttle::default(),
        }
    }
}

impl LimitCounts {
    pub(crate) fn add(&self, hits: &LimitHits) {
        for (count, (_, hits)) in self.counts.iter().zip(hits.iter()) {
            count.fetch_add(hits, Ordering::Relaxed);
        }
    }

    fn snapshot(&self) -> LimitHits {
        let mut hits = LimitHits::NONE;
        for (count, &limit) in self.counts.iter().zip(Limit::ALL) {
            hits.add(limit, count.load(Ordering::Relaxed));
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_of_the_shards() {
        let stats = LimitStats::default();
        let mut hits = LimitHits::NONE;
        hits.add(Limit::Resets, 2);
        let (first, second) = (stats.add_shard(), stats.add_shard());
        first.add(&hits);
        second.add(&hits);
        second.add(&hits);
        assert_eq!(stats.total().of(Limit::Resets), 6);
        assert_eq!(stats.total().of(Limit::Glitches), 0);
        assert_eq!(stats.by_shard()[0], hits);
    }
}
