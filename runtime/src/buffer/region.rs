//! Memory mapped from the kernel: page-aligned, zeroed, and not backed until touched.

use std::io;
use std::ptr::{self, NonNull};

/// Anonymous private mapping.
pub(super) struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

impl Region {
    /// Maps at least `bytes`, none of whose pages is backed by memory yet.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        assert!(bytes > 0, "an empty mapping is refused by the kernel");
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice overlaps nothing;
        // this value owns it until its drop, which its users delay past their last completion.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and whoever drops it has seen the last completion
        // that could name it; a ring that did not come to rest leaks the region instead.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
