//! Counters of a shard.

use std::cell::Cell;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Snapshot of one shard's counters, all counted since the shard began.
        ///
        /// The difference of two snapshots, divided by the work done in between, shows how well a
        /// shard batches: watch `enters` per request.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// Live counters, shared by a shard and its driver on one thread.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.0.get(),)* }
            }
        }
    };
}

counters! {
    /// Number of turns: passes of the shard loop.
    turns,
    /// Number of kernel entries made to submit, wait or poll (`io_uring_enter` or `epoll_wait`).
    enters,
    /// Number of operations submitted to the ring; on epoll, of system calls on sockets.
    submissions,
    /// Number of completions read from the ring; on epoll, of readiness events.
    completions,
    /// Number of times that the completion queue overflowed.
    overflows,
    /// Number of receives that delivered bytes.
    receives,
    /// Number of bytes received.
    received_bytes,
    /// Number of receives that found the provided buffers used up, and were submitted again.
    starved,
    /// Number of sends started.
    sends,
    /// Number of bytes in the sends started.
    sent_bytes,
    /// Number of times that receiving was paused: a peer did not read, or requested too much in one
    /// turn.
    pauses,
    /// Number of sockets closed because a send had been in flight for too long.
    stuck_sends,
    /// Number of task polls.
    polls,
    /// Number of messages taken from the mailbox: wakes, sockets and closures from other threads.
    messages,
    /// Number of sockets accepted by this shard's listeners.
    accepted,
    /// Number of accepted sockets handed over to another shard.
    handed_over,
    /// Number of sockets opened on this shard, accepted or connected.
    opened,
    /// Number of sockets closed on this shard.
    closed,
    /// Number of panics caught in tasks and protocols.
    panics,
}

/// Counter that only increases.
#[derive(Debug, Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.set(self.0.get().wrapping_add(amount));
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }
}

/// Returns the counters of the current shard.
///
/// # Panics
///
/// Outside a shard.
pub fn stats() -> Stats {
    crate::context::with(|context| context.counters.snapshot())
}
