//! Prefixed integers, RFC 7541 §5.1, and the cursor that reads a block.

use super::HpackError;
use alloc::vec::Vec;

/// Largest number of bytes after an integer's prefix: enough for 32 bits, so that a peer cannot
/// send a long run of empty continuation bytes.
const CONTINUATION_BYTES_MAX: usize = 5;

/// Part of a header block that is not read yet.
#[derive(Clone, Copy)]
pub(crate) struct Input<'b> {
    rest: &'b [u8],
}

impl<'b> Input<'b> {
    pub(crate) fn new(block: &'b [u8]) -> Input<'b> {
        Input { rest: block }
    }

    /// Returns the next byte without consuming it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Returns the number of bytes left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Consumes the next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'b [u8], HpackError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(HpackError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, HpackError> {
        let (first, rest) = self.rest.split_first().ok_or(HpackError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Reads the integer in the next byte's low `prefix_bits` and, if these are all ones, in the
    /// bytes after it.
    #[inline]
    pub(crate) fn integer(&mut self, prefix_bits: u32) -> Result<u32, HpackError> {
        debug_assert!((1..=8).contains(&prefix_bits));
        let prefix_max = (1u32 << prefix_bits) - 1;
        let prefix = u32::from(self.byte()?) & prefix_max;
        if prefix < prefix_max {
            Ok(prefix)
        } else {
            self.continuation(prefix_max)
        }
    }

    fn continuation(&mut self, prefix_max: u32) -> Result<u32, HpackError> {
        let mut value = u64::from(prefix_max);
        for position in 0..CONTINUATION_BYTES_MAX {
            let byte = self.byte()?;
            value += u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| HpackError::IntegerOverflow);
            }
        }
        Err(HpackError::IntegerOverflow)
    }
}

/// Appends `value` with `prefix_bits` of its first byte; `high` is that byte's remaining bits.
#[inline]
pub(crate) fn write(value: usize, prefix_bits: u32, high: u8, out: &mut Vec<u8>) {
    debug_assert!((1..=8).contains(&prefix_bits));
    let prefix_max = (1usize << prefix_bits) - 1;
    debug_assert_eq!(usize::from(high) & prefix_max, 0);
    if value < prefix_max {
        out.push(high | value as u8);
        return;
    }
    out.push(high | prefix_max as u8);
    let mut rest = value - prefix_max;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: u32, prefix_bits: u32, wire: &[u8]) {
        let mut out = Vec::new();
        write(value as usize, prefix_bits, 0, &mut out);
        assert_eq!(out, wire, "{value} in {prefix_bits} bits");
        let mut input = Input::new(wire);
        assert_eq!(input.integer(prefix_bits), Ok(value));
        assert_eq!(input.peek(), None);
        for cut in 0..wire.len() {
            assert_eq!(
                Input::new(&wire[..cut]).integer(prefix_bits),
                Err(HpackError::Truncated)
            );
        }
    }

    #[test]
    fn examples_of_rfc_7541_c_1() {
        check(10, 5, &[0b01010]);
        check(1337, 5, &[31, 154, 10]);
        check(42, 8, &[42]);
    }

    #[test]
    fn every_prefix_at_its_edges() {
        for prefix_bits in 1..=8 {
            let edge = (1u32 << prefix_bits) - 1;
            let values = [
                0,
                edge - 1,
                edge,
                edge + 1,
                edge + 127,
                edge + 128,
                u32::MAX - 1,
                u32::MAX,
            ];
            for value in values {
                let mut out = Vec::new();
                write(value as usize, prefix_bits, 0, &mut out);
                assert_eq!(Input::new(&out).integer(prefix_bits), Ok(value));
            }
        }
    }

    #[test]
    fn overflow_is_an_error() {
        let over = [
            &[31, 0xe1, 0xff, 0xff, 0xff, 0x0f][..],
            &[31, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[
                31, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            &[31, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ];
        for wire in over {
            assert_eq!(
                Input::new(wire).integer(5),
                Err(HpackError::IntegerOverflow),
                "{wire:?}"
            );
        }
    }
}
