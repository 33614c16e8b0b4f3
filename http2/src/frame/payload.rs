//! Payloads of the frames that have fields.

/// Malformed payload, with the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Strips padding (RFC 9113 §6.1, §6.2).
pub(crate) fn unpad(payload: &[u8]) -> Result<&[u8], Malformed> {
    let Some((&pad, rest)) = payload.split_first() else {
        return Err(Malformed(
            "a padded frame has no pad length (RFC 9113 section 6.1)",
        ));
    };
    match rest.len().checked_sub(usize::from(pad)) {
        Some(len) => Ok(&rest[..len]),
        None => Err(Malformed(
            "padding exceeds the frame (RFC 9113 section 6.1)",
        )),
    }
}

/// Returns the stream that a PRIORITY payload depends on, without the exclusive bit.
pub(crate) fn dependency(payload: &[u8]) -> Option<u32> {
    Some(word(payload.get(..4)?) & 0x7fff_ffff)
}

/// Returns four bytes as a big-endian number.
pub(crate) fn word(payload: &[u8]) -> u32 {
    payload
        .iter()
        .take(4)
        .fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

/// Iterates over the entries of a SETTINGS payload: identifier and value.
pub(crate) fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> + '_ {
    payload
        .chunks_exact(6)
        .map(|entry| (u16::from_be_bytes([entry[0], entry[1]]), word(&entry[2..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_stripped_or_refused() {
        assert_eq!(unpad(&[2, b'a', 0, 0]), Ok(&b"a"[..]));
        assert_eq!(unpad(&[0]), Ok(&b""[..]));
        assert!(unpad(&[1]).is_err());
        assert!(unpad(&[]).is_err());
    }
}
