//! Base64 of `-bin` metadata: written without padding, read with or without.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Appends `bytes` to `out` as unpadded base64.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = ENGINE.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Returns the bytes that `text` encodes; `None` if [`is_valid`] returns `false`.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

/// Returns `true` if `text` is valid base64, without decoding it.
pub(crate) fn is_valid(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = &text[..text.len() - padding];
    let padding_max = match digits.len() % 4 {
        0 => 0,
        2 => 2,
        3 => 1,
        _ => return false,
    };
    padding <= padding_max
        && digits
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Generator;

    #[test]
    fn padded_and_unpadded_read_alike() {
        for (text, bytes) in [
            (&b""[..], &b""[..]),
            (b"AA", b"\0"),
            (b"AA=", b"\0"),
            (b"AA==", b"\0"),
            (b"AP8", b"\0\xff"),
            (b"AP8=", b"\0\xff"),
            (b"AP//", b"\0\xff\xff"),
            (b"AB", b"\0"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text:?}");
        }
    }

    #[test]
    fn decode_undoes_encode() {
        let mut random = Generator::new(6);
        for _ in 0..2_000 {
            let bytes = random.bytes(40, b"");
            let mut text = b"kept".to_vec();
            encode(&bytes, &mut text);
            assert!(!text.contains(&b'=') && text.starts_with(b"kept"));
            assert_eq!(decode(&text[4..]), Some(bytes));
        }
    }

    #[test]
    fn validity_is_what_decode_accepts() {
        let mut random = Generator::new(7);
        for _ in 0..20_000 {
            let text = random.bytes(9, b"ABz09+/====-_ ,\xff");
            assert_eq!(is_valid(&text), decode(&text).is_some(), "{text:?}");
        }
    }
}
