//! Counts of calls that were refused for overload or lack of memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts of calls refused or ended for overload or lack of memory, since the server
        /// started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct OverloadHits {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl OverloadHits {
            fn add(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        /// Counts of one shard. Atomic only so that other threads can read: one thread writes, and
        /// only when a call is refused.
        #[derive(Debug, Default)]
        pub(crate) struct OverloadCounts {
            $(pub(crate) $name: Count,)*
        }

        impl OverloadCounts {
            fn snapshot(&self) -> OverloadHits {
                OverloadHits { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Calls refused with RESOURCE_EXHAUSTED, because they would have waited longer than the target
    /// of [`Admission`](crate::Admission).
    overloaded,
    /// Calls ended with DEADLINE_EXCEEDED without a handler, because they had waited past their
    /// deadline.
    late,
    /// Calls refused with RESOURCE_EXHAUSTED, because the shard held far more than
    /// [`Config::shard_bytes_max`](crate::Config::shard_bytes_max).
    full,
    /// Calls ended because the shard held far too many bytes, each the one that made its connection
    /// hold the most.
    shed,
    /// Times a shard became overloaded.
    episodes,
}

/// Counter that only increases.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Overload counts of a server, readable from any thread while it runs and after. Cheap to clone;
/// all clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct OverloadStats {
    shards: Arc<Mutex<Vec<Arc<OverloadCounts>>>>,
}

impl OverloadStats {
    /// Returns the counts of all shards together.
    pub fn total(&self) -> OverloadHits {
        let mut total = OverloadHits::default();
        for hits in self.by_shard() {
            total.add(hits);
        }
        total
    }

    /// Returns the counts of each shard that has started, in the order of their start.
    pub fn by_shard(&self) -> Vec<OverloadHits> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|counts| counts.snapshot()).collect()
    }

    /// Adds the counts of one more shard.
    pub(crate) fn add_shard(&self) -> Arc<OverloadCounts> {
        let counts = Arc::<OverloadCounts>::default();
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.push(Arc::clone(&counts));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_of_the_shards() {
        let stats = OverloadStats::default();
        let (first, second) = (stats.add_shard(), stats.add_shard());
        first.late.increment();
        second.late.increment();
        second.full.increment();
        let total = stats.total();
        assert_eq!((total.late, total.full, total.overloaded), (2, 1, 0));
        assert_eq!(stats.by_shard()[0].late, 1);
    }
}
