//! Choice of the shard for a new connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Distribution of accepted connections over shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// Every shard accepts, and hands the socket to the shard with the fewest connections if that
    /// is another one. Suited to few, long-lived connections, which a hash distributes unevenly.
    #[default]
    Balanced,
    /// The kernel picks a shard by a hash of the addresses (`SO_REUSEPORT`), and the connection
    /// stays there.
    ReusePort,
    /// The kernel picks the shard pinned to the CPU that handles the incoming packet
    /// (`SO_INCOMING_CPU`, within a `SO_REUSEPORT` group since Linux 6.2), for network cards whose
    /// queues are spread over the same CPUs. Shards that are not pinned (see
    /// [`cpus`](crate::RuntimeBuilder::cpus)) get connections as with `ReusePort`.
    Cpu,
}

/// Number of sockets of one shard, on a cache line of its own because its neighbours are written by
/// other shards.
#[derive(Default)]
#[repr(align(128))]
struct Load(AtomicUsize);

/// Number of accepted sockets of each shard. Shared by all shards; only accepts and closes touch
/// it.
pub(crate) struct Loads(Box<[Load]>);

impl Loads {
    pub(crate) fn new(shards: usize) -> Arc<Self> {
        Arc::new(Self((0..shards).map(|_| Load::default()).collect()))
    }

    /// Counts a new socket for a shard and returns that shard: `me`, unless another one has fewer.
    pub(crate) fn place(&self, me: usize) -> usize {
        let mut best = (self.of(me), me);
        for shard in (0..self.0.len()).filter(|shard| *shard != me) {
            if self.of(shard) < best.0 {
                best = (self.of(shard), shard);
            }
        }
        self.add(best.1);
        best.1
    }

    fn of(&self, shard: usize) -> usize {
        self.0[shard].0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, shard: usize) {
        self.0[shard].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, shard: usize) {
        let before = self.0[shard].0.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "removed more than was added");
    }
}

#[cfg(test)]
mod tests {
    use super::Loads;

    #[test]
    fn the_least_loaded_shard_gets_the_next_and_ties_stay() {
        let loads = Loads::new(3);
        let placed: Vec<usize> = (0..6).map(|_| loads.place(1)).collect();
        assert_eq!(placed, [1, 0, 2, 1, 0, 2]);
        loads.remove(2);
        assert_eq!(loads.place(0), 2);
    }
}
