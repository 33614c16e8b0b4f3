//! Recognition of header blocks by their bytes.
//!
//! A block has the same meaning as before if its bytes are equal and the decoder's table has not
//! changed since. Only blocks that leave the table unchanged are stored, so an entry is valid until
//! the table's epoch changes.

use alloc::boxed::Box;

/// Number of header blocks that a connection remembers.
pub const MEMO_SLOTS: usize = 8;

const BLOCK_BYTES_MAX: usize = 64;

/// Kind of field section that a block was validated as: bytes that are valid as trailers can be
/// invalid as a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    RequestHead,
    ResponseHead,
    Trailers,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    epoch: u32,
    len: u8,
    role: Role,
    bytes: [u8; BLOCK_BYTES_MAX],
    content_length: Option<u64>,
}

/// Remembered header blocks of one connection, allocated when the first one is stored.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    entries: Option<Box<[Option<Entry>; MEMO_SLOTS]>>,
    next: u8,
}

impl Memo {
    /// Returns the slot of a block seen before, and the content-length that it declared.
    pub(crate) fn find(&self, block: &[u8], epoch: u32, role: Role) -> Option<(u8, Option<u64>)> {
        let entries = self.entries.as_deref()?;
        entries.iter().enumerate().find_map(|(slot, entry)| {
            let entry = entry.as_ref()?;
            let same = entry.epoch == epoch
                && entry.role == role
                && usize::from(entry.len) == block.len()
                && entry.bytes[..block.len()] == *block;
            same.then_some((slot as u8, entry.content_length))
        })
    }

    /// Stores a block in place of the oldest. Returns the slot that identifies it from now on.
    pub(crate) fn keep(
        &mut self,
        block: &[u8],
        epoch: u32,
        role: Role,
        content_length: Option<u64>,
    ) -> Option<u8> {
        if block.len() > BLOCK_BYTES_MAX {
            return None;
        }
        let entries = self
            .entries
            .get_or_insert_with(|| Box::new([None; MEMO_SLOTS]));
        let slot = self.next;
        self.next = (slot + 1) % MEMO_SLOTS as u8;
        let mut bytes = [0; BLOCK_BYTES_MAX];
        bytes[..block.len()].copy_from_slice(block);
        entries[usize::from(slot)] = Some(Entry {
            epoch,
            len: block.len() as u8,
            role,
            bytes,
            content_length,
        });
        Some(slot)
    }
}

impl Memo {
    /// Empties a slot that was not reported to the caller.
    pub(crate) fn forget(&mut self, slot: u8) {
        if let Some(entries) = &mut self.entries {
            entries[usize::from(slot)] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_known_only_in_its_epoch_and_role() {
        let mut memo = Memo::default();
        assert_eq!(memo.find(b"\x82\x84", 1, Role::RequestHead), None);
        assert_eq!(
            memo.keep(b"\x82\x84", 1, Role::RequestHead, Some(7)),
            Some(0)
        );
        assert_eq!(
            memo.find(b"\x82\x84", 1, Role::RequestHead),
            Some((0, Some(7)))
        );
        assert_eq!(memo.find(b"\x82\x84", 2, Role::RequestHead), None);
        assert_eq!(memo.find(b"\x82\x84", 1, Role::Trailers), None);
        assert_eq!(memo.keep(&[0; 65], 1, Role::RequestHead, None), None);
        for round in 0..MEMO_SLOTS as u8 {
            assert_eq!(
                memo.keep(&[round], 1, Role::Trailers, None),
                Some((round + 1) % 8)
            );
        }
        assert_eq!(memo.find(b"\x82\x84", 1, Role::RequestHead), None);
    }
}
