//! Header blocks that are decoded as they arrive, because they are too long to be kept.
//!
//! Such a block exceeds every soft limit, so that the rest of it matters only for the table.
//! Strings that neither the list nor the table can hold are skipped without being stored.

use super::HpackError;
use super::decode::{Decoded, Decoder, ListLimits, Sink};
use super::integer::Input;
use crate::headers::{HeaderList, Token};
use alloc::boxed::Box;

/// Largest ratio of a string's encoded bytes to its decoded ones: the longest code has thirty bits.
const CODING_MOST: usize = 4;

/// Size in encoded bytes up to which strings are always decoded whole.
const LONG_BYTES_MIN: usize = 32 << 10;

/// State of a block of which parts have been decoded.
#[derive(Debug)]
pub(super) struct Amid {
    /// String that is being skipped.
    skip: Option<Skip>,
}

/// Field whose name or value is too long to be stored.
#[derive(Clone, Copy, Debug)]
struct Skip {
    /// Number of bytes of the string that have not arrived yet.
    left: usize,
    /// True if the string is the name, so that the value follows.
    is_name: bool,
    /// True if the field is to be inserted, which empties the table.
    inserts: bool,
    /// Size of the field in bytes, as far as it is known.
    bytes: usize,
}

impl Decoder {
    /// Returns the number of encoded bytes above which a string fits neither the table nor a list
    /// under `limits`.
    fn long_bytes(&self, limits: ListLimits) -> usize {
        let held = limits.bytes_soft.max(self.table_bytes_max);
        held.saturating_mul(CODING_MOST).max(LONG_BYTES_MIN)
    }

    /// Returns the number of encoded bytes above which a block can be decoded in parts. After each
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

    /// Decodes one field if all of it has arrived. If one of its strings is long, starts to skip
    /// that string. Returns `true` once the input is exhausted.
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

    /// Reads a literal field that has not arrived in full, up to its first long string.
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

    /// Continues to skip a string, and the value after a name. Returns `true` once the input is
    /// exhausted.
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
