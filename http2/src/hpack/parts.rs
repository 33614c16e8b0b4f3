//! Header blocks that are decoded while they come, because they are too long to be kept.
//!
//! Such a block is over every soft limit, so that what is left of it matters for the table alone.
//! Strings that neither the list nor the table can hold are passed over without being stored.

use super::HpackError;
use super::decode::{Decoded, Decoder, ListLimits, Sink};
use super::integer::Input;
use crate::headers::{HeaderList, Token};
use alloc::boxed::Box;

/// A coded string has no more than this many times the bytes that it stands for: the longest code
/// has thirty bits.
const CODING_MOST: usize = 4;

/// Strings up to this size are decoded whole in any case, in encoded bytes.
const LONG_BYTES_MIN: usize = 32 << 10;

/// A block that has begun.
#[derive(Debug)]
pub(super) struct Amid {
    /// The string that is being passed over.
    skip: Option<Skip>,
}

/// A field whose name or value is too long for anybody to hold.
#[derive(Clone, Copy, Debug)]
struct Skip {
    /// Bytes of the string that have not come yet.
    left: usize,
    /// The string is the name, and the value follows.
    is_name: bool,
    /// The field is inserted, and so empties the table.
    inserts: bool,
    /// Bytes of the field, as far as they are known.
    bytes: usize,
}

impl Decoder {
    /// A string of more encoded bytes fits neither the table nor a list under `limits`.
    fn long_bytes(&self, limits: ListLimits) -> usize {
        let held = limits.bytes_soft.max(self.table_bytes_max);
        held.saturating_mul(CODING_MOST).max(LONG_BYTES_MIN)
    }

    /// A block of which more encoded bytes than this are there can be decoded in parts. After each
    /// part at most as many are left.
    pub(crate) fn part_bytes(&self, limits: ListLimits) -> usize {
        self.long_bytes(limits).saturating_mul(2)
    }

    /// Decodes what is there of a block that is not whole, and returns how many bytes it has
    /// decoded. The first part has more than [`Decoder::part_bytes`]. The next one, or the last
    /// one in [`Decoder::decode`], begins behind the decoded bytes.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    #[cold]
    pub(crate) fn decode_part(
        &mut self,
        bytes: &[u8],
        list: &mut HeaderList,
        limits: ListLimits,
    ) -> Result<usize, HpackError> {
        let mut input = Input::new(bytes);
        let mut skip = match self.amid.take() {
            Some(amid) => amid.skip,
            None => {
                list.clear();
                // Nobody remembers the last part for a whole block.
                self.table.touch();
                self.size_updates(&mut input)?;
                None
            }
        };
        let mut sink = Sink::new(list, limits);
        loop {
            let stopped = match skip {
                Some(_) => self.pass_over(&mut skip, &mut input, &mut sink)?,
                None => self.whole_field(&mut skip, &mut input, &mut sink)?,
            };
            if stopped {
                break;
            }
        }
        self.amid = Some(Box::new(Amid { skip }));
        Ok(bytes.len() - input.len())
    }

    /// Decodes the rest of a block that was begun in parts.
    #[cold]
    pub(super) fn decode_last(
        &mut self,
        bytes: &[u8],
        list: &mut HeaderList,
        limits: ListLimits,
    ) -> Result<Decoded, HpackError> {
        let taken = self.decode_part(bytes, list, limits)?;
        let amid = self.amid.take();
        match taken == bytes.len() && amid.is_some_and(|amid| amid.skip.is_none()) {
            true => Ok(Decoded { mutated: true }),
            false => Err(HpackError::Truncated),
        }
    }

    /// Decodes one field if it is there; if one of its strings is long, begins to skip that. True
    /// when the input holds no more.
    fn whole_field(
        &mut self,
        skip: &mut Option<Skip>,
        input: &mut Input<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<bool, HpackError> {
        let Some(first) = input.peek() else {
            return Ok(true);
        };
        let (before, staged) = (*input, sink.list.staged().len());
        match self.next(first, input, sink) {
            Err(HpackError::Truncated) => {}
            outcome => return outcome.map(|()| false),
        }
        sink.list.drop_staged(staged);
        *input = before;
        match self.long_string(first, input, sink) {
            Ok(Some(begun)) => {
                *skip = Some(begun);
                Ok(false)
            }
            Ok(None) | Err(HpackError::Truncated) => {
                *input = before;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a literal field, which is not there whole, up to the first long string of it.
    fn long_string(
        &self,
        first: u8,
        input: &mut Input<'_>,
        sink: &Sink<'_>,
    ) -> Result<Option<Skip>, HpackError> {
        let (prefix_bits, inserts) = match first.leading_zeros() {
            0 => return Ok(None),
            1 => (6, true),
            _ => (4, false),
        };
        let long = |left, is_name, bytes| Skip {
            left,
            is_name,
            inserts,
            bytes,
        };
        let index = input.integer(prefix_bits)?;
        let name_bytes = match index {
            0 => sink.length(input)?,
            index => self.field(index)?.1,
        };
        if index == 0 {
            if name_bytes > self.long_bytes(sink.limits) {
                return Ok(Some(long(name_bytes, true, name_bytes)));
            }
            input.take(name_bytes)?;
        }
        let value_bytes = sink.length(input)?;
        let is_long = value_bytes > self.long_bytes(sink.limits);
        Ok(is_long.then(|| long(value_bytes, false, name_bytes + value_bytes)))
    }

    /// Goes on with the string that is being passed over, and with the value behind a name. True
    /// when the input holds no more.
    fn pass_over(
        &mut self,
        slot: &mut Option<Skip>,
        input: &mut Input<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<bool, HpackError> {
        let Some(skip) = slot else {
            return Ok(false);
        };
        let passed = skip.left.min(input.len());
        input.take(passed)?;
        skip.left -= passed;
        if skip.left > 0 {
            return Ok(true);
        }
        if skip.is_name {
            let before = *input;
            let value_bytes = match sink.length(input) {
                Ok(bytes) => bytes,
                Err(HpackError::Truncated) => {
                    *input = before;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            };
            skip.is_name = false;
            skip.left = value_bytes;
            skip.bytes += value_bytes;
            return Ok(false);
        }
        let Skip { inserts, bytes, .. } = *skip;
        *slot = None;
        if inserts {
            self.table.insert_oversized();
        }
        sink.admit(usize::MAX / 2, bytes, Token::Other)?;
        Ok(false)
    }
}
