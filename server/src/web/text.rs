//! Base64 of the text form: groups of four characters, with padding in any of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const GROUP: usize = 4;

/// Text that is not base64.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Decoder of base64 that arrives in pieces of any length.
#[derive(Debug, Default)]
pub(crate) struct TextDecoder {
    /// Characters of an incomplete group.
    begun: [u8; GROUP],
    len: usize,
}

impl TextDecoder {
    /// Decodes the complete groups of the text, and appends the result to `out`.
    pub(crate) fn push(&mut self, mut text: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.len > 0 {
            let missing = (GROUP - self.len).min(text.len());
            let (head, rest) = text.split_at(missing);
            self.begun[self.len..self.len + missing].copy_from_slice(head);
            self.len += missing;
            text = rest;
            if self.len < GROUP {
                return Ok(());
            }
            self.len = 0;
            decode(&self.begun, out)?;
        }
        let (whole, rest) = text.split_at(text.len() - text.len() % GROUP);
        decode(whole, out)?;
        self.begun[..rest.len()].copy_from_slice(rest);
        self.len = rest.len();
        Ok(())
    }

    /// Returns the number of characters in an incomplete group.
    pub(crate) fn pending(&self) -> usize {
        self.len
    }
}

/// Decodes complete groups, of which any may be padded.
fn decode(mut text: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    while !text.is_empty() {
        let padding = text.iter().position(|&byte| byte == b'=');
        let end = padding.map_or(text.len(), |at| (at / GROUP + 1) * GROUP);
        let (run, rest) = text.split_at(end);
        STANDARD.decode_vec(run, out).map_err(|_| Malformed)?;
        text = rest;
    }
    Ok(())
}

/// Appends `bytes` to `out` as base64, with padding at its end.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * GROUP, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.truncate(start + written.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Result<(Vec<u8>, usize), Malformed> {
        let (mut decoder, mut out) = (TextDecoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece, &mut out)?;
        }
        Ok((out, decoder.pending()))
    }

    #[test]
    fn any_chunking_reads_alike() {
        for (text, bytes, pending) in [
            ("", &b""[..], 0),
            ("AAAAAAA=", b"\0\0\0\0\0", 0),
            ("AA==AA==", b"\0\0", 0),
            ("AA==AAA=AAAA/////w==", b"\0\0\0\0\0\0\xff\xff\xff\xff", 0),
            ("AAAAA", b"\0\0\0", 1),
            ("AAAAAAA", b"\0\0\0", 3),
        ] {
            let text = text.as_bytes();
            let expected = Ok((bytes.to_vec(), pending));
            for at in 0..=text.len() {
                assert_eq!(decoded(&[&text[..at], &text[at..]]), expected, "at {at}");
            }
            let single: Vec<_> = text.chunks(1).collect();
            assert_eq!(decoded(&single), expected);
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "====", "A===", "AA=A", "AAA\n", "AAA AAAA", "-_-_", "AB==", "A\0AA",
        ] {
            assert_eq!(decoded(&[text.as_bytes()]), Err(Malformed), "{text}");
            let single: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(decoded(&single), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn what_was_encoded_comes_back() {
        for len in 0..50u8 {
            let bytes: Vec<u8> = (0..len).collect();
            let mut text = b"AAAA".to_vec();
            encode(&bytes, &mut text);
            assert_eq!(decoded(&[&text[4..]]), Ok((bytes, 0)));
        }
    }
}
