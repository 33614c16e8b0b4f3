//! Counts of exceeded limits, for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corespun_http2::{Limit, LimitHits};

use crate::throttle::Throttle;

/// Counts of exceeded limits of a server, readable from any thread while it runs and after.
///
/// Cheap to clone; all clones share the counts. Counting costs nothing until a limit is exceeded.
#[derive(Clone, Debug, Default)]
pub struct LimitStats {
    shards: Arc<Mutex<Vec<Arc<LimitCounts>>>>,
}

impl LimitStats {
    /// Returns how often each limit was exceeded since the server started, summed over all shards.
    pub fn total(&self) -> LimitHits {
        let mut total = LimitHits::NONE;
        for hits in self.by_shard() {
            hits.iter()
                .for_each(|(limit, count)| total.add(limit, count));
        }
        total
    }

    /// Returns how often each limit was exceeded on each shard, in the order in which the shards
    /// started.
    pub fn by_shard(&self) -> Vec<LimitHits> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|counts| counts.snapshot()).collect()
    }

    /// Adds the counts of one more shard.
    pub(crate) fn add_shard(&self) -> Arc<LimitCounts> {
        let counts = Arc::<LimitCounts>::default();
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.push(Arc::clone(&counts));
        counts
    }
}

/// Counts of one shard, written by its connections. Atomic only so that other threads can read: one
/// thread writes, and only when a limit was exceeded.
#[derive(Debug)]
pub(crate) struct LimitCounts {
    counts: Box<[AtomicU64]>,
    /// Rate limit of log lines about closed connections.
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
