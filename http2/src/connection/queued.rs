//! Memory of output that waits for flow-control windows, counted by capacity.

use super::Connection;
use crate::stream::StreamKey;

impl Connection {
    /// Returns the memory of output that waits for flow-control windows, in bytes.
    pub fn queued_bytes(&self) -> usize {
        self.sender.queued
    }

    /// Returns the bytes of output that were not transmitted: those written, and those that wait
    /// for windows.
    pub fn unsent_bytes(&self) -> usize {
        self.sender.out.len() + self.sender.queued
    }

    /// Returns `true` if waiting output takes more than [`crate::Limits::queued_bytes_max`]: do not
    /// start new calls until it falls.
    pub fn is_congested(&self) -> bool {
        self.sender.queued > self.limits.queued_bytes_max
    }

    /// Updates the total after a stream's queue changed from `before` to `after` bytes of memory.
    pub(super) fn on_queue_resized(&mut self, before: usize, after: usize) {
        self.sender.queued = self.sender.queued - before + after;
    }

    /// Removes what a stream holds from the totals. The stream must be removed next.
    #[inline(always)]
    pub(super) fn let_go(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.at(key) else {
            return;
        };
        let held = stream.held;
        let has_more = stream.queue.is_some() || stream.extra | stream.wants != 0;
        if has_more {
            self.let_go_queued(key);
        }
        self.forget_held(held);
    }

    #[cold]
    fn let_go_queued(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.at_mut(key) {
            let queued = stream.queue.take().map_or(0, |queue| queue.pinned_bytes());
            self.sender.queued -= queued;
        }
        self.forget_promises(key);
    }
}
