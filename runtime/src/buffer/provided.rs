//! Provided-buffer ring: receive buffers from which the kernel picks by itself.
//!
//! Ownership: a buffer is the kernel's from `give` until the completion that names it, and ours
//! from that completion until it is given again.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::region::Region;

/// Largest number of entries that the kernel allows in one ring.
const COUNT_MAX: u16 = 1 << 15;

/// Ring of equally sized buffers, registered with the kernel as one group.
///
/// Only a few are given at first: the kernel cycles through all that it has, so fewer buffers mean
/// warmer caches and less touched memory. [`grow`](Self::grow) gives more when they run out.
pub(crate) struct ProvidedRing {
    entries: Region,
    buffers: Region,
    count: u16,
    bytes: u32,
    given: u16,
    tail: u16,
}

impl ProvidedRing {
    /// Creates `count` buffers of `bytes` each, of which `initial` are given to the kernel at once.
    /// `count` is rounded up to a power of two.
    pub(crate) fn new(count: u16, bytes: u32, initial: u16) -> io::Result<Self> {
        let count = count.clamp(1, COUNT_MAX).next_power_of_two();
        let bytes = bytes.max(1);
        let mut ring = Self {
            entries: Region::new(usize::from(count) * size_of::<BufRingEntry>())?,
            buffers: Region::new(usize::from(count) * bytes as usize)?,
            count,
            bytes,
            given: 0,
            tail: 0,
        };
        ring.give_first(initial);
        Ok(ring)
    }

    /// Returns the address of the entries, page-aligned, for registration.
    pub(crate) fn address(&self) -> u64 {
        self.entries.start().as_ptr() as u64
    }

    /// Returns the number of entries, a power of two.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Returns the bytes that a completion reports as received into buffer `id`; `None` if the
    /// completion names a buffer or a length that does not exist.
    pub(crate) fn received(&self, id: u16, len: usize) -> Option<&[u8]> {
        if id >= self.given || len > self.bytes as usize {
            return None;
        }
        let offset = usize::from(id) * self.bytes as usize;
        debug_assert!(offset + len <= self.buffers.len());
        // SAFETY: the range lies inside the region, as checked above. The kernel gave the buffer
        // up with the completion the caller holds, and gets it back only through `give_back`,
        // which needs `&mut self` and so outlasts this borrow.
        unsafe {
            let start = self.buffers.start().add(offset);
            Some(std::slice::from_raw_parts(start.as_ptr(), len))
        }
    }

    /// Gives buffer `id` back once its bytes have been read. Takes effect at `publish`.
    pub(crate) fn give_back(&mut self, id: u16) {
        assert!(
            id < self.given,
            "the kernel names only buffers it was given"
        );
        self.give(id);
    }

    /// Gives the kernel twice as many buffers as before. Returns `false` if it has all of them.
    pub(crate) fn grow(&mut self) -> bool {
        let before = self.given;
        self.give_first(before.saturating_mul(2));
        self.given > before
    }

    /// Gives the kernel the buffers up to number `wanted`.
    fn give_first(&mut self, wanted: u16) {
        let wanted = wanted.clamp(1, self.count);
        while self.given < wanted {
            self.given += 1;
            self.give(self.given - 1);
        }
    }

    fn give(&mut self, id: u16) {
        let slot = usize::from(self.tail & (self.count - 1));
        let entries: NonNull<BufRingEntry> = self.entries.start().cast();
        // SAFETY: `slot` is below `count`, so the entry lies inside the region, which is zeroed
        // and aligned for it. It is ours until `publish`: at most `count` buffers are given at
        // any time, so the kernel has consumed what stood there before. Fields are written one
        // by one, as the first entry shares its last two bytes with the ring's tail.
        unsafe {
            let entry = entries.add(slot).as_mut();
            let start = self
                .buffers
                .start()
                .add(usize::from(id) * self.bytes as usize);
            entry.set_addr(start.as_ptr() as u64);
            entry.set_len(self.bytes);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Publishes every buffer given since the last call to the kernel.
    pub(crate) fn publish(&self) {
        // SAFETY: the tail lies in the first entry, inside the region and aligned to two bytes.
        // The kernel reads it concurrently, and only we write it: a release store through an
        // atomic makes the entries before it visible first.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.start().cast().as_ptr());
            AtomicU16::from_ptr(tail.cast_mut()).store(self.tail, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProvidedRing;

    #[test]
    fn grows_until_all_are_given() {
        let mut ring = ProvidedRing::new(6, 16, 2).expect("memory");
        assert_eq!(ring.count(), 8);
        assert!(ring.received(1, 16).is_some());
        assert!(ring.received(2, 16).is_none(), "not given yet");
        assert!(ring.received(1, 17).is_none(), "longer than a buffer");
        assert!(ring.grow() && ring.grow());
        assert!(ring.received(7, 0).is_some());
        assert!(!ring.grow());
        ring.give_back(7);
        ring.publish();
    }
}
