//! Dynamic table, RFC 7541 §2.3.2 and §4, for both directions.
//!
//! All text is in one log: new entries are appended, and evicted ones form a dead prefix that is
//! removed once it is as large as the rest. So every entry is one slice, nothing is allocated per
//! entry, and nothing before the first one.

use super::TABLE_BYTES_DEFAULT;
use crate::headers::FIELD_OVERHEAD_BYTES;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Largest table in bytes, whatever is configured, because positions have 32 bits.
pub(crate) const TABLE_BYTES_MAX: usize = 1 << 30;

/// First allocation of the log, in bytes.
const LOG_BYTES_MIN: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    /// Position in the log since the connection began, modulo 2^32.
    start: u32,
    name_bytes: u32,
    value_bytes: u32,
    traits: T,
}

impl<T> Entry<T> {
    fn text_bytes(&self) -> usize {
        self.name_bytes as usize + self.value_bytes as usize
    }
}

/// Entry as it is read: name and value in one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'t, T> {
    pub(crate) text: &'t [u8],
    pub(crate) name_bytes: usize,
    pub(crate) traits: T,
}

/// Dynamic table whose owner stores a `T` with every entry.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// Entries, newest first, as indices count.
    entries: VecDeque<Entry<T>>,
    log: Vec<u8>,
    /// Position of the log's first byte, modulo 2^32.
    log_start: u32,
    size: usize,
    size_max: usize,
    epoch: u32,
}

impl<T: Copy> Table<T> {
    /// Returns an empty table of at most `size_max` bytes that owns no memory yet.
    pub(crate) fn new(size_max: usize) -> Table<T> {
        debug_assert!(size_max <= TABLE_BYTES_MAX);
        Table {
            entries: VecDeque::new(),
            log: Vec::new(),
            log_start: 0,
            size: 0,
            size_max: size_max.min(TABLE_BYTES_DEFAULT),
            epoch: 0,
        }
    }

    /// Returns the size of all entries (RFC 7541 §4.1), in bytes.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    #[cfg(test)]
    pub(crate) fn owns_no_memory(&self) -> bool {
        self.entries.capacity() == 0 && self.log.capacity() == 0
    }

    /// Returns the largest size that the table may have, in bytes.
    pub(crate) fn size_max(&self) -> usize {
        self.size_max
    }

    /// Returns the number of changes, modulo 2^32.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Counts a change that is still to come, so that stored blocks become invalid now.
    pub(crate) fn touch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Returns the entry that `age` insertions have followed.
    #[inline]
    pub(crate) fn row(&self, age: usize) -> Option<Row<'_, T>> {
        self.entries.get(age).map(|entry| self.read(entry))
    }

    /// Iterates over all entries, newest first.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_, T>> {
        self.entries.iter().map(|entry| self.read(entry))
    }

    #[inline]
    fn read(&self, entry: &Entry<T>) -> Row<'_, T> {
        let start = entry.start.wrapping_sub(self.log_start) as usize;
        Row {
            text: &self.log[start..start + entry.text_bytes()],
            name_bytes: entry.name_bytes as usize,
            traits: entry.traits,
        }
    }

    /// Inserts an entry and evicts the oldest as needed. An entry larger than the table empties it
    /// and is not inserted (RFC 7541 §4.4).
    pub(crate) fn insert(&mut self, name: &[u8], value: &[u8], traits: T) {
        self.touch();
        let text_bytes = name.len() + value.len();
        let entry_bytes = text_bytes + FIELD_OVERHEAD_BYTES;
        self.evict_to(self.size_max.saturating_sub(entry_bytes));
        if entry_bytes > self.size_max {
            debug_assert!(self.entries.is_empty());
            return;
        }
        self.make_room(text_bytes);
        self.entries.push_front(Entry {
            start: self.log_start.wrapping_add(self.log.len() as u32),
            name_bytes: name.len() as u32,
            value_bytes: value.len() as u32,
            traits,
        });
        self.log.extend_from_slice(name);
        self.log.extend_from_slice(value);
        self.size += entry_bytes;
        debug_assert!(self.size <= self.size_max);
    }

    /// Sets the largest size and evicts the oldest entries as needed (RFC 7541 §4.3).
    pub(crate) fn resize(&mut self, size_max: usize) {
        debug_assert!(size_max <= TABLE_BYTES_MAX);
        self.touch();
        self.size_max = size_max;
        self.evict_to(size_max);
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.text_bytes() + FIELD_OVERHEAD_BYTES;
        }
        if self.entries.is_empty() {
            debug_assert_eq!(self.size, 0);
            self.log.clear();
        }
    }

    /// Handles the insertion of an entry larger than the table, which empties it (RFC 7541 §4.4).
    pub(crate) fn insert_oversized(&mut self) {
        self.touch();
        self.evict_to(0);
    }

    /// Makes room in the log for `bytes` more, so that appending them does not move it.
    fn make_room(&mut self, bytes: usize) {
        if self.log.len() + bytes <= self.log.capacity() {
            return;
        }
        let dead = match self.entries.back() {
            Some(oldest) => oldest.start.wrapping_sub(self.log_start) as usize,
            None => self.log.len(),
        };
        // A dead byte pays for moving a live one, so the cost per insertion stays constant and
        // the log within twice the table.
        if dead >= self.log.len() - dead {
            self.log.copy_within(dead.., 0);
            self.log.truncate(self.log.len() - dead);
            self.log_start = self.log_start.wrapping_add(dead as u32);
        }
        let needed = self.log.len() + bytes;
        if needed > self.log.capacity() {
            let capacity = needed.next_power_of_two().max(LOG_BYTES_MIN);
            self.log.reserve_exact(capacity - self.log.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn shown(table: &Table<u8>) -> String {
        let rows = table.rows().map(|row| {
            let (name, value) = row.text.split_at(row.name_bytes);
            format!(
                "{}={}#{}",
                name.escape_ascii(),
                value.escape_ascii(),
                row.traits
            )
        });
        rows.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn newest_first_oldest_out() {
        let mut table = Table::new(32 * 3 + 6);
        table.insert(b"a", b"1", 1);
        table.insert(b"b", b"2", 2);
        table.insert(b"c", b"3", 3);
        assert_eq!(shown(&table), "c=3#3 b=2#2 a=1#1");
        assert_eq!(table.size(), 102);
        table.insert(b"d", b"4", 4);
        assert_eq!(shown(&table), "d=4#4 c=3#3 b=2#2");
        table.insert(b"long", b"value", 5);
        assert_eq!(shown(&table), "long=value#5 d=4#4");
        table.resize(41);
        assert_eq!(shown(&table), "long=value#5");
        table.resize(40);
        assert_eq!((shown(&table), table.size()), (String::new(), 0));
        assert!(table.row(0).is_none());
    }

    #[test]
    fn an_oversized_entry_empties_the_table() {
        let mut table = Table::new(100);
        table.insert(b"a", b"1", 1);
        let epoch = table.epoch();
        table.insert(b"a", &[b'x'; 68], 2);
        assert_eq!((table.rows().len(), table.size()), (0, 0));
        assert_ne!(table.epoch(), epoch);
        table.insert(b"a", &[b'x'; 67], 3);
        assert_eq!((table.rows().len(), table.size()), (1, 100));
    }

    #[test]
    fn an_unused_table_owns_no_memory_and_a_busy_one_twice_its_size_at_most() {
        let mut table = Table::new(4096);
        assert!(table.owns_no_memory());
        let mut expected = VecDeque::new();
        for turn in 0..10_000usize {
            let value = format!("{turn}").repeat(turn % 37);
            table.insert(b"name", value.as_bytes(), 0);
            expected.push_front(value);
            expected.truncate(table.rows().len());
            let values = table.rows().map(|row| &row.text[row.name_bytes..]);
            assert!(values.eq(expected.iter().map(|value| value.as_bytes())));
            assert!(table.log.capacity() <= 8192, "{}", table.log.capacity());
        }
    }
}
