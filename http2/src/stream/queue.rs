//! Queue of one stream: bytes that wait for a window, then trailers or the end.

use alloc::vec::Vec;

use crate::hpack::{Field, Indexing};

/// Number of sent bytes at the front from which the rest is moved down, if it is not larger: each
/// sent byte pays for moving one unsent byte.
const COMPACT_BYTES: usize = 64 << 10;

/// Number of unsent bytes from which a buffer is kept instead of copied: smaller buffers should
/// return to their pool.
const KEEP_BYTES: usize = 64 << 10;

/// Body bytes in order, then perhaps trailers, then perhaps the end.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    spent: usize,
    /// True if nothing more will be queued: END_STREAM goes with the last byte or with the
    /// trailers.
    pub(crate) end: bool,
    /// Trailers, encoded only when they are sent: the order on the wire is the order of the HPACK
    /// table.
    pub(crate) trailers: Option<Trailers>,
    /// Number of sweeps of the write-progress timer in a row in which no byte was sent.
    pub(crate) idle_sweeps: u8,
}

impl Queue {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.spent == self.bytes.len() {
            self.bytes.clear();
            self.spent = 0;
        } else if self.spent > COMPACT_BYTES && self.spent >= self.len() {
            self.bytes.drain(..self.spent);
            self.spent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds the buffer's bytes from `spent` on. Keeps the buffer if the queue is empty and most of
    /// a large buffer is left; else copies the bytes and returns the buffer.
    pub(crate) fn keep(&mut self, buffer: Vec<u8>, spent: usize) -> Option<Vec<u8>> {
        let live = buffer.len() - spent;
        if self.len() > 0 || live < KEEP_BYTES || live < buffer.capacity() / 2 {
            self.push(&buffer[spent..]);
            return Some(buffer);
        }
        self.bytes = buffer;
        self.spent = spent;
        None
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.spent..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.spent
    }

    pub(crate) fn spend(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.len());
        self.spent += bytes;
        if bytes > 0 {
            self.idle_sweeps = 0;
        }
    }

    /// Returns the memory of the queue in bytes: its capacity, including sent bytes.
    pub(crate) fn pinned_bytes(&self) -> usize {
        let trailers = self.trailers.as_ref().map_or(0, Trailers::pinned_bytes);
        self.bytes.capacity() + trailers
    }
}

/// Owned field list of trailers.
#[derive(Debug, Default)]
pub(crate) struct Trailers {
    text: Vec<u8>,
    fields: Vec<(usize, usize, Indexing)>,
}

impl Trailers {
    pub(crate) fn copy<'f>(fields: impl Iterator<Item = Field<'f>>) -> Self {
        let mut copied = Self::default();
        for field in fields {
            copied.text.extend_from_slice(field.name);
            copied.text.extend_from_slice(field.value);
            copied
                .fields
                .push((field.name.len(), field.value.len(), field.indexing));
        }
        copied
    }

    fn pinned_bytes(&self) -> usize {
        self.text.capacity() + self.fields.capacity() * size_of::<(usize, usize, Indexing)>()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let mut at = 0;
        self.fields
            .iter()
            .map(move |&(name_len, value_len, indexing)| {
                let name = &self.text[at..at + name_len];
                let value = &self.text[at + name_len..at + name_len + value_len];
                at += name_len + value_len;
                Field {
                    name,
                    value,
                    indexing,
                }
            })
    }
}
