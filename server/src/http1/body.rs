//! Request bodies: detection of their end, and decoding of chunks (RFC 9112 §6, §7.1).

use super::Refusal;
use super::head::BodyLength;

/// Largest number of digits of a chunk size: more than any body needs, and no sum of such sizes
/// overflows.
const SIZE_DIGITS_MAX: u32 = 12;

/// Largest number of ignored bytes in the framing of chunks: extensions and the trailer section.
const IGNORED_BYTES_MAX: usize = 8 << 10;

/// Largest rest of an unwanted body, in bytes, that is read and discarded to keep the connection.
const SHORT_BYTES: u64 = 64 << 10;

/// Remaining part of a request body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Number of bytes.
    Length(u64),
    /// Chunks: the position in their framing, and the number of framing bytes ignored so far.
    Chunks(Place, usize),
}

/// Position in the framing of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Size {
        size: u64,
        digits: u32,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// Start of a line of the trailer section.
    Line,
    LineRest,
    LineLf,
    LastLf,
}

impl Body {
    /// Creates the body that a head announces; `None` if there is none.
    pub(super) fn begin(length: BodyLength) -> Option<Self> {
        match length {
            BodyLength::Exactly(0) => None,
            BodyLength::Exactly(left) => Some(Self::Length(left)),
            BodyLength::Chunked => Some(Self::Chunks(Place::SIZE, 0)),
        }
    }

    /// Returns true if the rest is short enough to be read and discarded to keep the connection.
    pub(super) fn is_short(&self) -> bool {
        matches!(self, Self::Length(left) if *left <= SHORT_BYTES)
    }

    /// Removes body bytes from the front of `input` and appends their content to `out`. Returns
    /// true when the body is complete.
    ///
    /// # Errors
    ///
    /// 400 for framing that another HTTP implementation might interpret differently.
    pub(super) fn take(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Refusal> {
        match self {
            Self::Length(left) => {
                take_data(left, input, out);
                Ok(*left == 0)
            }
            Self::Chunks(place, ignored) => {
                while !input.is_empty() {
                    if let Place::Data { left } = place {
                        take_data(left, input, out);
                        if *left == 0 {
                            *place = Place::DataCr;
                        }
                        continue;
                    }
                    let byte = input[0];
                    *input = &input[1..];
                    match place.next(byte)? {
                        Some(next) => *place = next,
                        None => return Ok(true),
                    }
                    *ignored += usize::from(place.is_ignored());
                    if *ignored > IGNORED_BYTES_MAX {
                        let why = "the chunks have too many extensions or trailers";
                        return Err(Refusal::malformed(why));
                    }
                }
                Ok(false)
            }
        }
    }
}

fn take_data(left: &mut u64, input: &mut &[u8], out: &mut Vec<u8>) {
    let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    let (data, rest) = input.split_at(len);
    out.extend_from_slice(data);
    *left -= len as u64;
    *input = rest;
}

impl Place {
    const SIZE: Self = Self::Size { size: 0, digits: 0 };

    fn is_ignored(self) -> bool {
        matches!(self, Self::Extension { .. } | Self::LineRest)
    }

    /// Returns the position after `byte`; `None` after the last one. Chunk data is not read byte by
    /// byte.
    fn next(self, byte: u8) -> Result<Option<Self>, Refusal> {
        let next = match (self, byte) {
            (Self::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                if digits < SIZE_DIGITS_MAX =>
            {
                let digit = u64::from((byte as char).to_digit(16).unwrap_or(0));
                let size = size << 4 | digit;
                let digits = digits + 1;
                Self::Size { size, digits }
            }
            (Self::Size { size, digits: 1.. } | Self::Extension { size }, b'\r') => {
                Self::SizeLf { size }
            }
            (Self::Size { size, digits: 1.. }, b';') => Self::Extension { size },
            (Self::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => Self::Extension { size },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Line,
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::SIZE,
            (Self::Line, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => return Ok(None),
            (Self::Line, b'!'..=b'~') => Self::LineRest,
            (Self::LineRest, b'\r') => Self::LineLf,
            (Self::LineRest, b'\t' | b' '..=b'~' | 0x80..) => Self::LineRest,
            (Self::LineLf, b'\n') => Self::Line,
            (place, byte) => {
                let shown = byte.escape_ascii();
                let why = format!("the chunks are malformed: '{shown}' at {place:?}");
                return Err(Refusal::malformed(why));
            }
        };
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Body, true if it is complete, and the rest of the input.
    type Taken = Result<(Vec<u8>, bool, Vec<u8>), u16>;

    fn take(length: BodyLength, pieces: &[&[u8]]) -> Taken {
        let mut body = Body::begin(length).unwrap();
        let (mut out, mut whole, mut left) = (Vec::new(), false, Vec::new());
        for piece in pieces {
            let mut input = *piece;
            if !whole {
                whole = body
                    .take(&mut input, &mut out)
                    .map_err(|refusal| refusal.status)?;
            }
            left.extend_from_slice(input);
        }
        Ok((out, whole, left))
    }

    /// Checks the result for the text in one piece, split at every position, and byte by byte.
    fn check(length: BodyLength, text: &[u8], expected: Taken) {
        let shown = String::from_utf8_lossy(text);
        for at in 0..=text.len() {
            let found = take(length, &[&text[..at], &text[at..]]);
            assert_eq!(found, expected, "{shown:?} at {at}");
        }
        let single: Vec<_> = text.chunks(1).collect();
        assert_eq!(take(length, &single), expected, "{shown:?}");
    }

    #[test]
    fn bodies_of_a_length_end_with_it() {
        assert_eq!(Body::begin(BodyLength::Exactly(0)), None);
        let whole = Ok((b"abc".to_vec(), true, b"GET".to_vec()));
        check(BodyLength::Exactly(3), b"abcGET", whole);
        let part = Ok((b"abc".to_vec(), false, Vec::new()));
        check(BodyLength::Exactly(4), b"abc", part.clone());
        check(BodyLength::Exactly(u64::MAX), b"abc", part);
    }

    #[test]
    fn chunks_end_with_the_empty_one() {
        for (text, body, left) in [
            ("0\r\n\r\n", "", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
            (
                "3\r\nabc\r\n00a\r\n0123456789\r\n000\r\n\r\nGET",
                "abc0123456789",
                "GET",
            ),
            (
                "A;name=\"x y\"\r\n0123456789\r\n0;last\r\n\r\n",
                "0123456789",
                "",
            ),
            ("1\r\n\r\r\n0\r\nx-sum: 7\r\ny: z\r\n\r\nP", "\r", "P"),
        ] {
            let expected = Ok((body.into(), true, left.into()));
            check(BodyLength::Chunked, text.as_bytes(), expected);
        }
        let part = Ok((b"ab".to_vec(), false, Vec::new()));
        check(BodyLength::Chunked, b"3\r\nab", part);
    }

    #[test]
    fn chunks_that_might_be_read_in_two_ways_are_refused() {
        for text in [
            "\r\n",
            ";\r\n",
            "3\nabc\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabcd\r\n",
            "3 \r\nabc\r\n",
            " 3\r\nabc\r\n",
            "+3\r\nabc\r\n",
            "-1\r\n",
            "0x3\r\nabc\r\n",
            "g\r\n",
            "3\rabc",
            "1000000000000\r\n",
            "3;a\nb\r\nabc",
            "3;a\0\r\nabc",
            "0\r\n\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nx: a\n\r\n",
            "0\r\nx: a\rb\r\n\r\n",
        ] {
            check(BodyLength::Chunked, text.as_bytes(), Err(400));
        }
    }

    #[test]
    fn what_is_ignored_is_bounded() {
        for (len, ok) in [(IGNORED_BYTES_MAX, true), (IGNORED_BYTES_MAX + 1, false)] {
            let filling = "x".repeat(len);
            for text in [
                format!("0\r\n{filling}\r\n\r\n"),
                format!("0;{}\r\n\r\n", &filling[1..]),
            ] {
                let taken = take(BodyLength::Chunked, &[text.as_bytes()]);
                assert_eq!(taken.is_ok(), ok, "{len}");
            }
        }
    }
}
