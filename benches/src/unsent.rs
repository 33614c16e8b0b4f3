//! Unsent output of a protocol, in a buffer that it borrows from its shard.

use std::mem;

use corespun_runtime::{give_buffer, take_buffer};

/// Output that waits for the next transmit; an idle connection owns no buffer for it.
#[derive(Debug, Default)]
pub(crate) struct Unsent(Vec<u8>);

impl Unsent {
    /// Returns the buffer to append to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.0.capacity() == 0 {
            self.0 = take_buffer();
        }
        &mut self.0
    }

    /// Returns the number of bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Moves all output to `out`, by swapping the buffers if possible.
    pub(crate) fn transmit(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            mem::swap(out, &mut self.0);
        } else {
            out.append(&mut self.0);
        }
        if self.0.capacity() > 0 {
            give_buffer(mem::take(&mut self.0));
        }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
