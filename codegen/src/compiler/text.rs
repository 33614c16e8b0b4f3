//! Text of proto files: byte order marks, encodings of comments, and positions.

/// Decodes a proto file. A byte order mark is dropped. Bytes in comments that are not UTF-8 are
/// read as Latin-1.
///
/// # Errors
/// Line and column, from 1, of bytes outside of comments that are not UTF-8.
pub(super) fn decoded(bytes: Vec<u8>) -> Result<String, (usize, usize)> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => latin1_comments(error.as_bytes())?,
    };
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Returns line and column, both from 1, of a byte in `text`.
pub(super) fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

/// Part of a proto file that a character belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Slash,
    Line,
    Block,
    Star,
    Quoted(char),
    Escaped(char),
}

impl Part {
    fn next(self, c: char) -> Self {
        match (self, c) {
            (Self::Slash, '/') | (Self::Line, '\0'..='\t' | '\u{b}'..) => Self::Line,
            (Self::Slash, '*') => Self::Block,
            (Self::Block | Self::Star, '*') => Self::Star,
            (Self::Star, '/') => Self::Code,
            (Self::Block | Self::Star, _) => Self::Block,
            (Self::Quoted(mark), '\\') => Self::Escaped(mark),
            (Self::Quoted(mark), c) if c != mark && c != '\n' => Self::Quoted(mark),
            (Self::Escaped(mark), _) => Self::Quoted(mark),
            (Self::Code, '/') => Self::Slash,
            (Self::Code | Self::Slash, '"' | '\'') => Self::Quoted(c),
            (Self::Code | Self::Slash | Self::Line | Self::Quoted(_), _) => Self::Code,
        }
    }
}

fn latin1_comments(bytes: &[u8]) -> Result<String, (usize, usize)> {
    let mut text = String::with_capacity(bytes.len());
    let mut part = Part::Code;
    for chunk in bytes.utf8_chunks() {
        part = chunk.valid().chars().fold(part, Part::next);
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        if !matches!(part, Part::Line | Part::Block | Part::Star) {
            return Err(place(&text, text.len()));
        }
        let characters = chunk.invalid().iter().map(|byte| char::from(*byte));
        part = characters.clone().fold(part, Part::next);
        text.extend(characters);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_may_be_in_another_encoding() {
        for (bytes, expected) in [
            (&b"\xef\xbb\xbfmessage"[..], Ok("message")),
            (b"// caf\xe9\nmessage", Ok("// caf\u{e9}\nmessage")),
            (
                b"/* caf\xe9 */ \"//\" // \xe9",
                Ok("/* caf\u{e9} */ \"//\" // \u{e9}"),
            ),
            (b"/** \xe9**/", Ok("/** \u{e9}**/")),
            (b"// \xe9\n x\xe9", Err((2, 3))),
            (b"/* */ \xe9", Err((1, 7))),
            (b"\"//\\\"\xe9\"", Err((1, 6))),
            (b"'/*\xe9'", Err((1, 4))),
            (b"/ \xe9", Err((1, 3))),
        ] {
            let text = decoded(bytes.to_vec());
            assert_eq!(
                text.as_deref().map_err(|place| *place),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn places_count_from_one() {
        for (byte, expected) in [
            (0, (1, 1)),
            (2, (1, 3)),
            (3, (2, 1)),
            (5, (2, 2)),
            (9, (2, 2)),
        ] {
            assert_eq!(place("ab\n\u{e9}", byte), expected, "{byte}");
        }
    }
}
