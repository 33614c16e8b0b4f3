//! Messages on their way from a sender to its connection, and the bound on them.

use crate::message::PREFIX_BYTES;

/// Bytes of one call that wait for the connection while windows are open, at most. A message that
/// is larger waits alone.
pub const OUTPUT_BYTES_HIGH: usize = 64 << 10;

/// Bytes of one call that wait while windows are closed: enough to fill a frame when they open,
/// little enough for thousands of calls that nobody reads.
pub const OUTPUT_BYTES_STALLED: usize = 8 << 10;

/// Framed messages, in a buffer that the connection takes and gives back.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    /// Bytes taken by the connection that wait there for windows.
    queued: usize,
    /// Bytes that may wait here and there.
    bytes_max: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            queued: 0,
            bytes_max: OUTPUT_BYTES_STALLED,
        }
    }
}

impl Output {
    fn waiting(&self) -> usize {
        self.queued + self.bytes.len()
    }

    /// Returns whether less than half of the bound is taken, so that a message of any size fits.
    fn is_low(&self) -> bool {
        self.waiting() <= self.bytes_max / 2
    }

    /// Returns the bytes that fit, prefixes of messages included.
    pub(super) fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.waiting())
    }

    /// Returns whether a message may be added. Its length is computed only if that matters.
    #[inline]
    pub(super) fn admits(&self, message_bytes: impl FnOnce() -> usize) -> bool {
        self.is_low() || PREFIX_BYTES + message_bytes() <= self.room()
    }

    /// Drops what waits here.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
    }

    /// Follows the windows: `queued` bytes wait for them, `sendable` more could go now. Returns
    /// whether a sender that waits may go on.
    pub(super) fn pace(&mut self, queued: usize, sendable: usize) -> bool {
        self.queued = queued;
        self.bytes_max = sendable
            .saturating_add(OUTPUT_BYTES_STALLED)
            .min(OUTPUT_BYTES_HIGH);
        if queued > 0 && self.bytes.is_empty() {
            // The copy that waits in the connection is enough memory for a call that stands still.
            self.bytes = Vec::new();
        }
        self.is_low()
    }

    /// Makes room at once for a sender that had to wait, and so has much to send.
    pub(super) fn reserve(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() < self.room() {
            self.bytes = Vec::with_capacity(self.room());
        }
    }
}
