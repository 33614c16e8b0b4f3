//! Encoder: fields to header blocks, RFC 7541 §6.

use super::table::Table;
use super::{TABLE_BYTES_DEFAULT, huffman, integer, static_table};
use crate::headers::FIELD_OVERHEAD_BYTES;
use alloc::vec::Vec;

/// Largest size of the encoder's table in bytes, whatever the peer allows: the peer's settings must
/// not decide how much memory this end uses.
const TABLE_BYTES_MAX: usize = TABLE_BYTES_DEFAULT;

/// Number of entries searched, newest first, which bounds the work per field.
const SEARCHED_ENTRIES_MAX: usize = 32;

/// Treatment of a field that neither table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// Insert the field, so that it takes one byte next time: for fields that will be repeated.
    Index,
    /// Do not insert the field: for values that change from call to call.
    Literal,
    /// Do not insert the field, and forbid intermediaries to do so: for secrets (RFC 7541 §7.1.3).
    Never,
}

/// One field to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name in lower case; pseudo-header names include their colon.
    pub name: &'a [u8],
    /// Value of the field.
    pub value: &'a [u8],
    /// Treatment if neither table holds the field.
    pub indexing: Indexing,
}

/// Encodes the header blocks of one direction of one connection, in order.
#[derive(Debug)]
pub struct Encoder {
    pub(super) table: Table<()>,
    update: Option<SizeUpdate>,
    huffman: bool,
}

/// First byte of a literal (RFC 7541 §6.2): its kind above the prefix of the name's index.
#[derive(Clone, Copy)]
struct Form {
    prefix_bits: u32,
    high: u8,
}

const INSERTED: Form = Form {
    prefix_bits: 6,
    high: 0x40,
};
const NOT_INSERTED: Form = Form {
    prefix_bits: 4,
    high: 0x00,
};
const NEVER_INSERTED: Form = Form {
    prefix_bits: 4,
    high: 0x10,
};

/// Table sizes to announce to the peer at the start of the next block (RFC 7541 §4.2).
#[derive(Clone, Copy, Debug)]
struct SizeUpdate {
    /// Smallest size since the last block, in bytes.
    smallest: usize,
    /// Final size, in bytes.
    last: usize,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// Returns an encoder with the initial table of 4096 bytes and without Huffman coding.
    pub fn new() -> Encoder {
        Encoder {
            table: Table::new(TABLE_BYTES_MAX),
            update: None,
            huffman: false,
        }
    }

    /// Sets whether strings are Huffman-coded when that makes them shorter.
    pub fn huffman(mut self, coded: bool) -> Encoder {
        self.huffman = coded;
        self
    }

    /// Applies the peer's SETTINGS_HEADER_TABLE_SIZE of `bytes`. The next block starts with a size
    /// update if that changes the table, which is never larger than 4096 bytes.
    pub fn set_peer_table_max(&mut self, bytes: usize) {
        let last = bytes.min(TABLE_BYTES_MAX);
        if self.update.is_none() && last == self.table.size_max() {
            return;
        }
        let smallest = self.update.map_or(last, |update| update.smallest.min(last));
        self.update = Some(SizeUpdate { smallest, last });
        // Blocks remembered until now lack the update that is due.
        self.table.touch();
    }

    /// Returns a number that changes whenever the dynamic table changes or is about to. Bytes that
    /// were encoded without a change of the table may be sent again for the same fields while the
    /// epoch is unchanged.
    pub fn epoch(&self) -> u32 {
        self.table.epoch()
    }

    /// Appends the block of `fields` to `out`. Returns whether that changed the table.
    pub fn encode<'a>(
        &mut self,
        fields: impl Iterator<Item = Field<'a>>,
        out: &mut Vec<u8>,
    ) -> bool {
        let epoch = self.table.epoch();
        self.size_update(out);
        for field in fields {
            self.field(field, out);
        }
        self.table.epoch() != epoch
    }

    fn size_update(&mut self, out: &mut Vec<u8>) {
        let Some(SizeUpdate { smallest, last }) = self.update.take() else {
            return;
        };
        debug_assert!(smallest <= last && last <= TABLE_BYTES_MAX);
        if smallest < last {
            self.table.resize(smallest);
            integer::write(smallest, 5, 0x20, out);
        }
        self.table.resize(last);
        integer::write(last, 5, 0x20, out);
    }

    fn field(&mut self, field: Field<'_>, out: &mut Vec<u8>) {
        let name_index = static_table::find_name(field.name);
        // A secret is spelled out even if a table holds it: its form must not tell.
        if field.indexing == Indexing::Never {
            let index = name_index.or_else(|| self.find_name(field.name));
            return self.literal(field, index, NEVER_INSERTED, out);
        }
        let known = name_index
            .and_then(|first| static_table::find_value(first, field.name, field.value))
            .or_else(|| self.find(field));
        if let Some(index) = known {
            return integer::write(index, 7, 0x80, out);
        }
        let index = name_index.or_else(|| self.find_name(field.name));
        if field.indexing == Indexing::Index && self.is_worth_inserting(field) {
            self.literal(field, index, INSERTED, out);
            self.table.insert(field.name, field.value, ());
        } else {
            self.literal(field, index, NOT_INSERTED, out);
        }
    }

    /// Returns `false` for a field over half the table, because it would evict more than it is
    /// likely to save.
    fn is_worth_inserting(&self, field: Field<'_>) -> bool {
        let entry_bytes = field.name.len() + field.value.len() + FIELD_OVERHEAD_BYTES;
        entry_bytes <= self.table.size_max() / 2
    }

    /// Returns the index of the newest dynamic entry equal to `field`.
    fn find(&self, field: Field<'_>) -> Option<usize> {
        let (name, value) = (field.name, field.value);
        let text_bytes = name.len() + value.len();
        let age = self
            .table
            .rows()
            .take(SEARCHED_ENTRIES_MAX)
            .position(|row| {
                row.name_bytes == name.len()
                    && row.text.len() == text_bytes
                    && row.text[row.name_bytes..] == *value
                    && row.text[..row.name_bytes] == *name
            })?;
        Some(static_table::ENTRIES + 1 + age)
    }

    /// Returns the index of the newest dynamic entry named `name`.
    fn find_name(&self, name: &[u8]) -> Option<usize> {
        let mut rows = self.table.rows().take(SEARCHED_ENTRIES_MAX);
        let age = rows.position(|row| row.text[..row.name_bytes] == *name)?;
        Some(static_table::ENTRIES + 1 + age)
    }

    /// Writes a literal field (RFC 7541 §6.2).
    fn literal(&self, field: Field<'_>, name_index: Option<usize>, form: Form, out: &mut Vec<u8>) {
        integer::write(name_index.unwrap_or(0), form.prefix_bits, form.high, out);
        if name_index.is_none() {
            self.string(field.name, out);
        }
        self.string(field.value, out);
    }

    /// Writes a string literal (RFC 7541 §5.2).
    fn string(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.huffman {
            let coded_bytes = huffman::coded_bytes(text);
            if coded_bytes < text.len() {
                integer::write(coded_bytes, 7, 0x80, out);
                return huffman::encode(text, out);
            }
        }
        integer::write(text.len(), 7, 0x00, out);
        out.extend_from_slice(text);
    }
}
