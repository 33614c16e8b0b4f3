//! Huffman coding of strings, RFC 7541 §5.2.

use super::HpackError;
use super::huffman_table::{
    CODE_BITS_MAX, CODES, END_OF_STRING, WINDOW_BITS, WINDOWS, long_symbol,
};
use alloc::vec::Vec;

/// Shortest code in bits, which bounds the length of a decoded string.
const CODE_BITS_MIN: usize = 5;

/// Appends the decoded form of `coded`; after an error `out` is unchanged.
pub(crate) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let start = out.len();
    // One byte more than fits, because two symbols are always written at once.
    out.resize(start + coded.len() * 8 / CODE_BITS_MIN + 1, 0);
    let written = decode_into(coded, &mut out[start..]);
    out.truncate(start + written.unwrap_or(0));
    written.map(|_| ())
}

/// Fills `out`, which must be as long as the longest possible string plus one. Returns the string's
/// length.
fn decode_into(coded: &[u8], out: &mut [u8]) -> Result<usize, HpackError> {
    let mut bits = Bits {
        window: 0,
        count: 0,
        rest: coded,
    };
    let mut written = 0;
    loop {
        if bits.count < CODE_BITS_MAX as u32 {
            bits.refill();
            if bits.count < CODE_BITS_MAX as u32 {
                break;
            }
        }
        let short = WINDOWS[bits.short_window()];
        if short.count() == 0 {
            let (symbol, length) = long_symbol(bits.long_window());
            if symbol == END_OF_STRING {
                return Err(HpackError::HuffmanEndOfString);
            }
            out[written] = symbol as u8;
            written += 1;
            bits.consume(length);
        } else {
            out[written..written + 2].copy_from_slice(&short.symbols());
            written += short.count();
            bits.consume(short.bits());
        }
    }
    decode_tail(bits, out, written)
}

/// Decodes the last bits, too few for any code to fit, and checks the padding.
fn decode_tail(
    mut bits: Bits<'_>,
    out: &mut [u8],
    mut written: usize,
) -> Result<usize, HpackError> {
    bits.pad();
    loop {
        let short = WINDOWS[bits.short_window()];
        let (symbols, taken, length) = match short.count() {
            0 => {
                let (symbol, length) = long_symbol(bits.long_window());
                // END_OF_STRING is cut off here too: it is longer than what is left.
                ([symbol as u8, 0], 1, length)
            }
            count => (short.symbols(), count, short.bits()),
        };
        // A pair is cut off as a whole: no code up to 7 bits is all ones, so a second symbol that
        // needs padding to be complete is no padding itself.
        if length > bits.count {
            break;
        }
        out[written] = symbols[0];
        out[written + 1] = symbols[1];
        written += taken;
        bits.consume(length);
    }
    if bits.count < 8 && bits.window >> 56 == 0xff {
        Ok(written)
    } else {
        Err(HpackError::HuffmanPadding)
    }
}

/// Bit reader over a string; the next bits are aligned to the left.
struct Bits<'c> {
    window: u64,
    /// Number of valid bits in `window`; the bits after them are later data or zero.
    count: u32,
    rest: &'c [u8],
}

impl Bits<'_> {
    /// Fills the window to more than 56 bits, or to the end of the string.
    #[inline]
    fn refill(&mut self) {
        if let Some((word, _)) = self.rest.split_first_chunk::<8>() {
            self.window |= u64::from_be_bytes(*word) >> self.count;
            let bytes = (63 - self.count) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.count += bytes * 8;
            return;
        }
        while self.count <= 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.window |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
            self.rest = rest;
        }
    }

    /// Fills the window with ones after the last bits, as the padding does.
    fn pad(&mut self) {
        debug_assert!(self.rest.is_empty() && self.count < CODE_BITS_MAX as u32);
        self.window |= u64::MAX >> self.count;
    }

    #[inline]
    fn consume(&mut self, bits: u32) {
        debug_assert!(bits <= self.count);
        self.window = self.window.wrapping_shl(bits);
        self.count -= bits;
    }

    #[inline]
    fn short_window(&self) -> usize {
        (self.window >> (64 - WINDOW_BITS)) as usize
    }

    #[inline]
    fn long_window(&self) -> u32 {
        (self.window >> 32) as u32
    }
}

/// Returns the length of `text` in bytes when Huffman-coded.
pub(crate) fn coded_bytes(text: &[u8]) -> usize {
    let bits: usize = text
        .iter()
        .map(|byte| usize::from(CODES[usize::from(*byte)].length))
        .sum();
    bits.div_ceil(8)
}

/// Appends `text`, Huffman-coded and padded with ones.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut pending, mut count) = (0u64, 0u32);
    for byte in text {
        let code = CODES[usize::from(*byte)];
        pending = pending << code.length | u64::from(code.bits);
        count += u32::from(code.length);
        while count >= 8 {
            count -= 8;
            out.push((pending >> count) as u8);
        }
    }
    if count > 0 {
        out.push((pending << (8 - count)) as u8 | 0xff >> count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(coded: &[u8], error: HpackError) {
        let mut out = b"kept".to_vec();
        assert_eq!(decode(coded, &mut out), Err(error), "{coded:02x?}");
        assert_eq!(out, b"kept");
    }

    #[test]
    fn every_symbol_alone_and_between_others() {
        for first in 0..=255u8 {
            for text in [
                &[first][..],
                &[b'a', first, b'0'],
                &[first; 9],
                &[first, !first, first],
            ] {
                let mut coded = Vec::new();
                encode(text, &mut coded);
                assert_eq!(coded.len(), coded_bytes(text));
                let mut out = Vec::new();
                assert_eq!(decode(&coded, &mut out), Ok(()), "{text:?}");
                assert_eq!(out, text);
            }
        }
    }

    #[test]
    fn every_pair_of_symbols() {
        let (mut coded, mut out) = (Vec::new(), Vec::new());
        for pair in 0..=u16::MAX {
            coded.clear();
            out.clear();
            encode(&pair.to_be_bytes(), &mut coded);
            assert_eq!(decode(&coded, &mut out), Ok(()));
            assert_eq!(out, pair.to_be_bytes());
        }
    }

    #[test]
    fn strings_of_rfc_7541_c_4_and_c_6() {
        let coded = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        let strings = [
            (&b"www.example.com"[..], &coded[..]),
            (b"no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            (b"302", &[0x64, 0x02]),
            (b"307", &[0x64, 0x0e, 0xff]),
        ];
        for (text, coded) in strings {
            let mut out = Vec::new();
            encode(text, &mut out);
            assert_eq!(out, coded);
        }
    }

    #[test]
    fn the_empty_string_is_valid() {
        let mut out = Vec::new();
        assert_eq!(decode(&[], &mut out), Ok(()));
        assert!(out.is_empty());
    }

    #[test]
    fn padding_is_checked() {
        // '0' is 00000: three bits of padding, all of which must be ones.
        check_error(&[0b0000_0000], HpackError::HuffmanPadding);
        check_error(&[0b0000_0110], HpackError::HuffmanPadding);
        check_error(&[0b0000_0111, 0xff], HpackError::HuffmanPadding);
        check_error(&[0xff], HpackError::HuffmanPadding);
        check_error(&[0xff, 0xff, 0xff], HpackError::HuffmanPadding);
        // '&' is 8 bits long, so that nothing is left to pad.
        check_error(&[0xf8, 0xff], HpackError::HuffmanPadding);
        // The first half of a long code.
        check_error(&[0xff, 0xc0], HpackError::HuffmanPadding);
    }

    #[test]
    fn one_zero_in_the_padding_is_an_error() {
        // '0' takes 5 bits, so that repeating it leaves every length of padding.
        for repeated in 1..=8usize {
            let padding = repeated * 3 % 8;
            let mut coded = Vec::new();
            encode(&[b'0'; 8][..repeated], &mut coded);
            if padding > 5 {
                // From 6 bits on, a zero may complete another symbol.
                continue;
            }
            for zero in 0..padding {
                let mut damaged = coded.clone();
                *damaged.last_mut().unwrap() ^= 1 << zero;
                check_error(&damaged, HpackError::HuffmanPadding);
            }
        }
    }

    #[test]
    fn end_of_string_is_an_error() {
        check_error(&[0xff, 0xff, 0xff, 0xff], HpackError::HuffmanEndOfString);
        check_error(&[0xff, 0xff, 0xff, 0xfc], HpackError::HuffmanEndOfString);
        check_error(
            &[0x07, 0xff, 0xff, 0xff, 0xff],
            HpackError::HuffmanEndOfString,
        );
    }
}
