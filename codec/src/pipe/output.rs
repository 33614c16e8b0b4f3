//! Messages on the way from a sender to its connection, with a limit on their bytes.

use crate::message::PREFIX_BYTES;

/// Largest number of bytes of one call that wait for the connection while windows are open. A
/// message that is larger waits alone.
pub const OUTPUT_BYTES_HIGH: usize = 64 << 10;

/// Largest number of bytes of one call that wait while windows are closed: enough to fill a frame
/// when they open, and few enough for thousands of calls that are not read.
pub const OUTPUT_BYTES_STALLED: usize = 8 << 10;

/// Framed messages, in a buffer that the connection takes and gives back.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    /// Number of bytes taken by the connection that wait there for windows.
    queued: usize,
    /// Limit on the bytes that wait here and in the connection.
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

    /// Returns `true` if less than half of the limit is used, so that a message of any size fits.
    fn is_low(&self) -> bool {
        self.waiting() <= self.bytes_max / 2
    }

    /// Returns the bytes that fit, prefixes of messages included.
    pub(super) fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.waiting())
    }

    /// Returns `true` if a message may be added. Its length is computed only if that matters.
    #[inline]
    pub(super) fn admits(&self, message_bytes: impl FnOnce() -> usize) -> bool {
        self.is_low() || PREFIX_BYTES + message_bytes() <= self.room()
    }

    /// Drops the messages that wait here.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
    }

    /// Adjusts the limit to the windows: `queued` bytes wait for them, `sendable` more could be
    /// sent now. Returns `true` if a waiting sender may continue.
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

    /// Reserves memory at once for a sender that had to wait, and so has much to send.
    pub(super) fn reserve(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() < self.room() {
            self.bytes = Vec::with_capacity(self.room());
        }
    }
}
