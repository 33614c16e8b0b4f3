//! What a shard counts about itself.

use std::cell::Cell;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A snapshot of one shard's counters, all counted since the shard began.
        ///
        /// Differences between two snapshots, divided by the work done in between, say how well
        /// a shard batches: `enters` per request is the figure to watch.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The live counters, shared by a shard and its driver on one thread.
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
    /// Passes of the shard loop.
    turns,
    /// Kernel entries made to submit, wait or poll (`io_uring_enter` or `epoll_wait`).
    enters,
    /// Operations handed to the ring; on epoll, system calls made on sockets.
    submissions,
    /// Completions reaped from the ring; on epoll, readiness events.
    completions,
    /// Times the completion queue was seen overflowing.
    overflows,
    /// Pieces of bytes received.
    receives,
    /// Bytes received.
    received_bytes,
    /// Receives that found the provided buffers used up, and were armed again.
    starved,
    /// Sends begun.
    sends,
    /// Bytes of the sends begun.
    sent_bytes,
    /// Times receiving was paused: a peer did not read, or asked for too much in one turn.
    pauses,
    /// Sockets closed because a send had been in flight for too long.
    stuck_sends,
    /// Task polls.
    polls,
    /// Messages taken from the mailbox: wakes, sockets and closures from other threads.
    messages,
    /// Sockets accepted by this shard's listeners.
    accepted,
    /// Accepted sockets handed over to another shard.
    handed_over,
    /// Sockets opened on this shard, accepted or connected.
    opened,
    /// Sockets closed on this shard.
    closed,
    /// Panics caught in tasks and protocols.
    panics,
}

/// One number that only goes up.
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

/// The counters of the shard this code runs on.
///
/// # Panics
///
/// Outside a shard.
pub fn stats() -> Stats {
    crate::context::with(|context| context.counters.snapshot())
}
