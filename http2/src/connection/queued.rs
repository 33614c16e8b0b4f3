//! Memory for output that waits for windows, counted by capacity, which is what it costs.

use super::Connection;
use crate::stream::StreamKey;

impl Connection {
    /// Bytes of memory that output keeps while it waits for windows.
    pub fn queued_bytes(&self) -> usize {
        self.sender.queued
    }

    /// Bytes of output that were not transmitted: written, and kept while they wait for windows.
    pub fn unsent_bytes(&self) -> usize {
        self.sender.out.len() + self.sender.queued
    }

    /// Output that waits keeps more than [`crate::Limits::queued_bytes_max`]: calls that were not
    /// started yet had better wait until it falls.
    pub fn is_congested(&self) -> bool {
        self.sender.queued > self.limits.queued_bytes_max
    }

    /// A stream's queue has changed by `before` to `after` bytes of memory.
    pub(super) fn on_queue_resized(&mut self, before: usize, after: usize) {
        self.sender.queued = self.sender.queued - before + after;
    }

    /// Forgets what a stream kept that is about to go.
    pub(super) fn let_go(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.at_mut(key) {
            let held = core::mem::take(&mut stream.held);
            let queued = stream.queue.take().map_or(0, |queue| queue.pinned_bytes());
            let is_promised = stream.extra | stream.wants != 0;
            self.sender.queued -= queued;
            self.forget_held(held);
            if is_promised {
                self.forget_promises(key);
            }
        }
    }
}
