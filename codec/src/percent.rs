//! Percent-encoding of `grpc-message` (gRPC over HTTP/2, "Status-Message").

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` to `out`, with every byte outside `0x20..=0x7E`, every `%`, and a blank at either
/// end as `%XX`: by RFC 9113 §8.2.1 no field value begins or ends with a blank.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    let last = text.len().saturating_sub(1);
    out.reserve(text.len());
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        let is_edge_blank = byte == b' ' && (at == 0 || at == last);
        if matches!(byte, 0x20..=0x7E) && byte != b'%' && !is_edge_blank {
            out.push(byte);
        } else {
            out.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Decodes a `grpc-message`. It never fails: an invalid `%` is kept, and bytes that are not UTF-8
/// become U+FFFD, so that the status is not lost over its text.
pub fn decode(encoded: &[u8]) -> Cow<'_, str> {
    if !encoded.contains(&b'%') {
        return String::from_utf8_lossy(encoded);
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, tail)) = rest.split_first() {
        match tail {
            [high, low, after @ ..] if byte == b'%' => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                    continue;
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
        rest = tail;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Generator;

    fn encoded(text: &str) -> String {
        let mut out = Vec::new();
        encode(text, &mut out);
        String::from_utf8(out).expect("encoded text is ASCII")
    }

    #[test]
    fn encodes_what_the_specification_names() {
        for (text, expected) in [
            ("", ""),
            ("no such user", "no such user"),
            ("no user ", "no user%20"),
            (" gone", "%20gone"),
            (" ", "%20"),
            ("  a  b  ", "%20 a  b %20"),
            ("\ta\t", "%09a%09"),
            ("100%", "100%25"),
            ("a\tb\r\n", "a%09b%0D%0A"),
            ("\u{7f}", "%7F"),
            ("é ☺", "%C3%A9 %E2%98%BA"),
        ] {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for (wire, expected) in [
            (&b"100%"[..], "100%"),
            (b"%2", "%2"),
            (b"%zz%41", "%zzA"),
            (b"%%41", "%A"),
            (b"%c3%a9", "é"),
            (b"%FF", "\u{fffd}"),
            (b"\xff%41", "\u{fffd}A"),
        ] {
            assert_eq!(decode(wire), expected, "{wire:?}");
        }
    }

    #[test]
    fn decode_undoes_encode() {
        let mut random = Generator::new(1);
        for _ in 0..2_000 {
            let text = random.text(40);
            let wire = encoded(&text);
            assert!(wire.bytes().all(|b| (0x20..=0x7E).contains(&b)), "{wire:?}");
            assert_eq!(decode(wire.as_bytes()), text);
        }
    }

    #[test]
    fn decode_takes_any_bytes() {
        let mut random = Generator::new(2);
        for _ in 0..2_000 {
            let wire = random.bytes(24, b"%%%%0123aFgG\xc3\xa9\xff ");
            let _ = decode(&wire);
        }
    }
}
