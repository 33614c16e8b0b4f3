//! Memory that a connection's peer makes us keep: what came in and was not consumed, and what
//! goes out and waits for windows. Both count capacity, which is what the memory costs.

use super::Connection;
use crate::limits::Limit;
use crate::stream::StreamKey;

/// What all streams of a connection keep, in bytes.
#[derive(Debug, Default)]
pub(super) struct Held {
    received: usize,
    queued: usize,
}

impl Connection {
    /// Notes that the caller keeps `bytes` of memory for what it received on this stream: the
    /// capacity of its buffers, in place of what was noted before. A stream that ends keeps
    /// nothing. False when all streams together keep more than
    /// [`crate::Limits::received_bytes_max`]: then end [`Connection::newest_holder`] until
    /// [`Connection::holds_too_much`] is false.
    pub fn hold(&mut self, stream: StreamKey, bytes: usize) -> bool {
        if let Some(entry) = self.streams.at_mut(stream) {
            let before = core::mem::replace(&mut entry.held, bytes);
            self.held.received = self.held.received - before + bytes;
        }
        !self.holds_too_much()
    }

    /// What all streams keep is over [`crate::Limits::received_bytes_max`].
    pub fn holds_too_much(&self) -> bool {
        self.held.received > self.limits.received_bytes_max
    }

    /// The stream that was opened last of those that keep memory, to be ended by the caller: the
    /// older ones are nearer to their end, and ending them would let a flood win over them. Each
    /// call counts as a hit of [`Limit::ReceivedBytes`].
    pub fn newest_holder(&mut self) -> Option<StreamKey> {
        let holders = self
            .streams
            .iter_mut()
            .filter(|(_, stream)| stream.held > 0);
        let newest = holders.map(|(key, _)| key).max_by_key(|key| key.id)?;
        self.abuse.hit(Limit::ReceivedBytes);
        Some(newest)
    }

    /// Bytes that are kept for what was received, as [`Connection::hold`] was told.
    pub fn held_bytes(&self) -> usize {
        self.held.received
    }

    /// Bytes of memory that output keeps while it waits for windows.
    pub fn queued_bytes(&self) -> usize {
        self.held.queued
    }

    /// Bytes of output that were not transmitted: written, and kept while they wait for windows.
    pub fn unsent_bytes(&self) -> usize {
        self.sender.out.len() + self.held.queued
    }

    /// Output that waits keeps more than [`crate::Limits::queued_bytes_max`]: calls that were not
    /// started yet had better be refused with REFUSED_STREAM.
    pub fn is_congested(&self) -> bool {
        self.held.queued > self.limits.queued_bytes_max
    }

    /// A stream's queue has changed by `before` to `after` bytes of memory.
    pub(super) fn on_queue_resized(&mut self, before: usize, after: usize) {
        self.held.queued = self.held.queued - before + after;
    }

    /// Forgets what a stream kept that is about to go.
    pub(super) fn let_go(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.at_mut(key) {
            let held = core::mem::take(&mut stream.held);
            let queued = stream.queue.take().map_or(0, |queue| queue.pinned_bytes());
            self.held.received -= held;
            self.held.queued -= queued;
        }
    }
}
