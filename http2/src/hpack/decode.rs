//! Decoder: header blocks to fields, RFC 7541 §3 and §6.

use super::integer::Input;
use super::parts::Amid;
use super::table::{TABLE_BYTES_MAX, Table};
use super::{HpackError, huffman, static_table};
use crate::headers::{FIELD_OVERHEAD_BYTES, HeaderList, Token, Traits, is_value};
use alloc::boxed::Box;

/// Number of size updates that a block may start with: the smallest size since the last block, then
/// the final one (RFC 7541 §4.2).
const SIZE_UPDATES_MAX: usize = 2;

/// Largest hard limit in bytes, because a [`HeaderList`] counts in 32 bits.
const LIST_BYTES_CEILING: usize = 1 << 30;

/// Bytes beyond the soft limits for fields that have a [`Token`], so that fields that a call
/// depends on, such as `grpc-status`, are kept behind a list of others.
const TOKEN_BYTES: usize = 1024;
const TOKEN_FIELDS: usize = 16;

/// Limits on one header block. Sizes count name + value + 32 for every field (RFC 9113 §10.5.1),
/// with each cookie as a field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// Size in bytes above which fields are dropped and the list is marked as overflowed. Fields
    /// with a [`Token`] have 1 KiB and 16 fields more.
    pub bytes_soft: usize,
    /// Size in bytes above which decoding stops with [`HpackError::TooLarge`].
    pub bytes_hard: usize,
    /// Number of fields above which fields are dropped and the list is marked as overflowed.
    pub fields_soft: usize,
    /// Number of fields above which decoding stops with [`HpackError::TooManyFields`].
    pub fields_hard: usize,
}

/// Result of decoding a block, apart from the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// True if the block inserted, evicted or resized. Then [`Decoder::epoch`] has changed, and the
    /// block must not be remembered, because its bytes would have another meaning next time.
    pub mutated: bool,
}

/// Decodes the header blocks of one direction of one connection, in order.
#[derive(Debug)]
pub struct Decoder {
    pub(super) table: Table<Traits>,
    /// Value that this end announced as SETTINGS_HEADER_TABLE_SIZE, in bytes.
    pub(super) table_bytes_max: usize,
    /// True if the announced size shrank below the peer's table, so that its next block must start
    /// with a size update.
    update_due: bool,
    /// State of a block that is being decoded in parts.
    pub(super) amid: Option<Box<Amid>>,
}

impl Decoder {
    /// Returns a decoder for a table of at most `table_bytes_max` bytes (clamped to 1 GiB). The
    /// table starts with that or 4096, whichever is less; it owns no memory before the first entry.
    ///
    /// An end that announces less than 4096 starts with 4096, because the peer does, and calls
    /// [`Decoder::set_table_bytes_max`] when its SETTINGS are acknowledged.
    pub fn new(table_bytes_max: usize) -> Decoder {
        let table_bytes_max = table_bytes_max.min(TABLE_BYTES_MAX);
        Decoder {
            table: Table::new(table_bytes_max),
            table_bytes_max,
            update_due: false,
            amid: None,
        }
    }

    /// Applies a SETTINGS_HEADER_TABLE_SIZE of `bytes` (clamped to 1 GiB) that the peer has
    /// acknowledged. If the peer's table is larger, its next block must start with a size update
    /// (RFC 7541 §4.2).
    pub fn set_table_bytes_max(&mut self, bytes: usize) {
        self.table_bytes_max = bytes.min(TABLE_BYTES_MAX);
        self.update_due = self.table.size_max() > self.table_bytes_max;
        self.table.touch();
    }

    /// Returns a number that changes whenever the dynamic table changes. A block that was decoded
    /// without a change of the table means the same fields again while the epoch is unchanged.
    pub fn epoch(&self) -> u32 {
        self.table.epoch()
    }

    /// Decodes one whole header block into `list`, which is cleared first.
    ///
    /// # Errors
    /// Any [`HpackError`]; the list is then incomplete and the decoder unusable.
    pub fn decode(
        &mut self,
        block: &[u8],
        list: &mut HeaderList,
        limits: ListLimits,
    ) -> Result<Decoded, HpackError> {
        if self.amid.is_some() {
            return self.decode_last(block, list, limits);
        }
        list.clear();
        let epoch = self.table.epoch();
        let mut input = Input::new(block);
        self.size_updates(&mut input)?;
        let mut sink = Sink::new(list, limits);
        while let Some(first) = input.peek() {
            self.next(first, &mut input, &mut sink)?;
        }
        Ok(Decoded {
            mutated: self.table.epoch() != epoch,
        })
    }

    /// Decodes the field that starts with the byte `first`.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        first: u8,
        input: &mut Input<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), HpackError> {
        match first.leading_zeros() {
            0 => self.indexed(input, sink),
            1 => self.literal(input, sink, 6, true),
            2 => Err(HpackError::SizeUpdateMisplaced),
            // Whether a field may be indexed further on (§6.2.2, §6.2.3) is for proxies.
            _ => self.literal(input, sink, 4, false),
        }
    }

    /// Reads size updates at the start of a block (RFC 7541 §6.3).
    pub(super) fn size_updates(&mut self, input: &mut Input<'_>) -> Result<(), HpackError> {
        let bytes_max = self.table_bytes_max;
        let mut updates = 0;
        while input.peek().is_some_and(|first| first.leading_zeros() == 2) {
            updates += 1;
            if updates > SIZE_UPDATES_MAX {
                return Err(HpackError::SizeUpdateRepeated);
            }
            let bytes = input.integer(5)?;
            if bytes as usize > bytes_max {
                return Err(HpackError::SizeUpdateTooLarge { bytes, bytes_max });
            }
            self.table.resize(bytes as usize);
            self.update_due = false;
        }
        if self.update_due {
            return Err(HpackError::SizeUpdateMissing { bytes_max });
        }
        Ok(())
    }

    /// Decodes an indexed field (RFC 7541 §6.1).
    #[inline]
    fn indexed(&self, input: &mut Input<'_>, sink: &mut Sink<'_>) -> Result<(), HpackError> {
        let (text, name_bytes, traits) = self.field(input.integer(7)?)?;
        sink.indexed(text, name_bytes, traits)
    }

    /// Returns the field with `index` in either table: its text, its name's length, its traits.
    #[inline]
    pub(super) fn field(&self, index: u32) -> Result<(&[u8], usize, Traits), HpackError> {
        if let Some(found) = static_table::field(index as usize) {
            return Ok(found);
        }
        let age = (index as usize).checked_sub(static_table::ENTRIES + 1);
        let row = age
            .and_then(|age| self.table.row(age))
            .ok_or(HpackError::InvalidIndex(index))?;
        Ok((row.text, row.name_bytes, row.traits))
    }

    /// Decodes a literal field (RFC 7541 §6.2), whose name index has `prefix_bits` bits in the
    /// first byte.
    fn literal(
        &mut self,
        input: &mut Input<'_>,
        sink: &mut Sink<'_>,
        prefix_bits: u32,
        insert: bool,
    ) -> Result<(), HpackError> {
        let start = sink.list.staged().len();
        let index = input.integer(prefix_bits)?;
        let known = if index == 0 {
            sink.string(input)?;
            None
        } else {
            let (text, name_bytes, traits) = self.field(index)?;
            sink.list.staged().extend_from_slice(&text[..name_bytes]);
            Some(traits)
        };
        let name_bytes = sink.list.staged().len() - start;
        sink.string(input)?;
        let (name, value) = sink.list.staged()[start..].split_at(name_bytes);
        let traits = match known {
            Some(traits) => Traits {
                value_well_formed: is_value(value),
                ..traits
            },
            None => Traits::of(name, value),
        };
        if insert {
            self.table.insert(name, value, traits);
        }
        sink.literal(start, name_bytes, traits)
    }
}

/// Destination of decoded fields: a list under limits.
pub(super) struct Sink<'l> {
    pub(super) list: &'l mut HeaderList,
    pub(super) limits: ListLimits,
}

impl<'l> Sink<'l> {
    pub(super) fn new(list: &'l mut HeaderList, limits: ListLimits) -> Self {
        let bytes_hard = limits.bytes_hard.min(LIST_BYTES_CEILING);
        let limits = ListLimits {
            bytes_soft: limits.bytes_soft.min(bytes_hard),
            bytes_hard,
            fields_soft: limits.fields_soft.min(limits.fields_hard),
            ..limits
        };
        Self { list, limits }
    }

    /// Reads the declared length of a string literal (RFC 7541 §5.2). It is checked before the
    /// string is read: a string longer than the rest of the hard limit is refused, Huffman-coded or
    /// not.
    pub(super) fn length(&self, input: &mut Input<'_>) -> Result<usize, HpackError> {
        let length = input.integer(7)? as usize;
        let left = self
            .limits
            .bytes_hard
            .saturating_sub(self.list.size() + FIELD_OVERHEAD_BYTES);
        match length > left {
            true => Err(HpackError::TooLarge),
            false => Ok(length),
        }
    }

    /// Stages a string literal.
    fn string(&mut self, input: &mut Input<'_>) -> Result<(), HpackError> {
        let coded = input.peek().is_some_and(|first| first & 0x80 != 0);
        let length = self.length(input)?;
        let text = input.take(length)?;
        if coded {
            // Coding shortens a string to five eighths at best: what this takes is bounded.
            huffman::decode(text, self.list.staged())
        } else {
            self.list.staged().extend_from_slice(text);
            Ok(())
        }
    }

    /// Keeps or drops the field staged since `start`.
    fn literal(
        &mut self,
        start: usize,
        name_bytes: usize,
        traits: Traits,
    ) -> Result<(), HpackError> {
        let bytes = self.list.staged().len() - start;
        if self.admit(start, bytes, traits.token)? {
            self.list.keep_staged(start, name_bytes, traits);
        } else {
            self.list.drop_staged(start);
        }
        Ok(())
    }

    /// Keeps or drops a field that comes from a table.
    #[inline]
    fn indexed(
        &mut self,
        text: &[u8],
        name_bytes: usize,
        traits: Traits,
    ) -> Result<(), HpackError> {
        let start = self.list.staged().len();
        if self.admit(start, text.len(), traits.token)? {
            self.list.keep(text, name_bytes, traits);
        }
        Ok(())
    }

    /// Charges a field of `bytes`, after `kept_bytes` of text that are kept. Returns whether to
    /// keep it.
    #[inline]
    pub(super) fn admit(
        &mut self,
        kept_bytes: usize,
        bytes: usize,
        token: Token,
    ) -> Result<bool, HpackError> {
        let (size, fields) = self.list.charge(bytes);
        match size <= self.limits.bytes_soft && fields <= self.limits.fields_soft {
            true => Ok(true),
            false => self.admit_over(kept_bytes + bytes, token),
        }
    }

    /// Decides about a field beyond a soft limit: a small field with a token is kept if the
    /// reserved room admits it, so that the fields that tell the outcome of a call are not lost
    /// after a large one.
    #[cold]
    fn admit_over(&mut self, text_bytes: usize, token: Token) -> Result<bool, HpackError> {
        let limits = &self.limits;
        if self.list.size() > limits.bytes_hard {
            return Err(HpackError::TooLarge);
        }
        if self.list.fields() > limits.fields_hard {
            return Err(HpackError::TooManyFields);
        }
        self.list.overflow_at(limits.bytes_soft, limits.fields_soft);
        let (bytes_more, fields_more) = match token {
            Token::Other => (0, 0),
            _ => (TOKEN_BYTES, TOKEN_FIELDS),
        };
        let fields = self.list.len() + 1;
        let bytes = text_bytes + fields * FIELD_OVERHEAD_BYTES;
        Ok(bytes <= limits.bytes_soft.saturating_add(bytes_more)
            && fields <= limits.fields_soft.saturating_add(fields_more))
    }
}
