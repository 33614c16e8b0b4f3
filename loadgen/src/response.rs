//! Parser of responses: header blocks and the length prefixes of messages.

use corespun_codec::{Code, Encoding, Kind, message};
use corespun_http2::{HeaderList, Token};

use crate::outcome::Outcome;

/// Meaning of a response head. Small, so that the meaning of a repeated head is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Outcome of the call unless a `grpc-status` says otherwise.
    otherwise: Outcome,
    /// Status in the head itself; it counts only for a trailers-only response.
    status: Option<Code>,
    /// Encoding of messages whose prefix marks them as compressed.
    encoding: Encoding,
    /// HTTP status of a response that is not gRPC; 0 for a gRPC response.
    foreign: u16,
}

impl Head {
    /// Head without any information.
    pub(crate) const NONE: Self = Self {
        otherwise: Outcome::MissingStatus,
        status: None,
        encoding: Encoding::Identity,
        foreign: 0,
    };

    /// Reads `:status` and `content-type` (gRPC `http-grpc-status-mapping.md`), `grpc-encoding`
    /// and, for a trailers-only response, `grpc-status`.
    pub(crate) fn read(fields: &HeaderList) -> Self {
        let http_status = fields
            .first(Token::Status)
            .and_then(|text| std::str::from_utf8(text).ok()?.parse::<u16>().ok());
        let grpc = fields.first(Token::ContentType).is_some_and(is_grpc);
        let otherwise = match http_status {
            Some(200) if grpc => Outcome::MissingStatus,
            Some(200) => Outcome::Status(Code::Unknown),
            Some(status) => Outcome::Status(Code::from_http_status(status)),
            None => Outcome::Status(Code::Internal),
        };
        let encoding = fields.first(Token::GrpcEncoding).and_then(Encoding::parse);
        Self {
            otherwise,
            status: grpc_status(fields),
            encoding: encoding.unwrap_or_default(),
            foreign: match http_status {
                Some(200) if grpc => 0,
                status => status.unwrap_or_default(),
            },
        }
    }

    /// Returns the reason of a failure that has no `grpc-message`.
    pub(crate) fn reason(self) -> Option<String> {
        (self.foreign != 0).then(|| format!("HTTP {}, not gRPC", self.foreign))
    }

    /// Returns the encoding of compressed messages; [`Encoding::Identity`] if none may be
    /// compressed.
    pub(crate) fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Returns the outcome of a trailers-only response.
    pub(crate) fn alone(self) -> Outcome {
        self.status.map_or(self.otherwise, Outcome::Status)
    }

    /// Returns the outcome of a response with these trailers; `Trailers::NONE` if it had none.
    pub(crate) fn ended(self, trailers: Trailers) -> Outcome {
        trailers.0.map_or(self.otherwise, Outcome::Status)
    }
}

/// Meaning of the trailers of a response: their `grpc-status`, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailers(Option<Code>);

impl Trailers {
    /// Absence of trailers, or of a status in them.
    pub(crate) const NONE: Self = Self(None);

    /// Reads `grpc-status`.
    pub(crate) fn read(fields: &HeaderList) -> Self {
        Self(grpc_status(fields))
    }
}

/// Parses `grpc-status`. A value that is not a number means UNKNOWN, not a missing status.
fn grpc_status(fields: &HeaderList) -> Option<Code> {
    fields
        .first(Token::GrpcStatus)
        .map(|text| Code::parse(text).unwrap_or(Code::Unknown))
}

/// Returns true for `application/grpc`, with or without a subtype or parameters.
fn is_grpc(value: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    value
        .split_at_checked(PREFIX.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(PREFIX) && matches!(rest.first(), None | Some(b'+' | b';'))
        })
}

/// Part of a body, as [`Body::push`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Bytes of the current message.
    Bytes(&'a [u8]),
    /// The current message is complete.
    End {
        /// True if the prefix marked the message as compressed.
        encoded: bool,
    },
}

/// Parser of the message prefixes in a body, which keeps no message bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Body {
    prefix: [u8; message::PREFIX_BYTES],
    /// Number of prefix bytes received so far.
    prefixed: u8,
    /// Number of message bytes still to come, after the prefix.
    left: u32,
    messages: u32,
    broken: bool,
}

impl Body {
    /// Takes the next piece; returns the number of messages that it completes. Messages may be
    /// compressed if the head named an encoding (`encoded`). Parts of the piece are passed to
    /// `take` in order.
    #[inline]
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        encoded: bool,
        mut take: impl FnMut(Piece<'_>),
    ) -> u32 {
        let before = self.messages;
        while !bytes.is_empty() && !self.broken {
            if usize::from(self.prefixed) < message::PREFIX_BYTES {
                bytes = self.read_prefix(bytes, encoded);
                if usize::from(self.prefixed) < message::PREFIX_BYTES {
                    break;
                }
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(self.left as usize));
            if !piece.is_empty() {
                take(Piece::Bytes(piece));
            }
            self.left -= piece.len() as u32;
            bytes = rest;
            if self.left == 0 && !self.broken {
                let encoded = self.prefix[0] == 1;
                take(Piece::End { encoded });
                self.prefixed = 0;
                self.messages = self.messages.wrapping_add(1);
            }
        }
        self.messages.wrapping_sub(before)
    }

    /// Takes the missing bytes of the prefix; returns the bytes after them.
    fn read_prefix<'a>(&mut self, bytes: &'a [u8], encoded: bool) -> &'a [u8] {
        let missing = &mut self.prefix[usize::from(self.prefixed)..];
        let (piece, rest) = bytes.split_at(missing.len().min(bytes.len()));
        missing[..piece.len()].copy_from_slice(piece);
        self.prefixed += piece.len() as u8;
        let [flag, length @ ..] = self.prefix;
        self.left = u32::from_be_bytes(length);
        self.broken = flag > u8::from(encoded);
        rest
    }

    /// Returns true if a prefix was invalid.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Marks the body as invalid, because of a wrong message.
    pub(crate) fn spoil(&mut self) {
        self.broken = true;
    }

    /// Returns true if the body was whole messages, as many as a successful call of this kind has.
    pub(crate) fn fits(&self, kind: Kind) -> bool {
        let whole = self.prefixed == 0 && !self.broken;
        whole && (kind.server_streams() || self.messages == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::new();
        for (name, value) in pairs {
            list.push(
                Token::of(name.as_bytes()),
                name.as_bytes(),
                value.as_bytes(),
            );
        }
        list
    }

    #[test]
    fn a_head_alone_is_judged_by_grpc_status_then_http() {
        let grpc = ("content-type", "application/grpc+proto");
        let html = ("content-type", "text/html");
        let cases: [(&[(&str, &str)], Outcome); 7] = [
            (
                &[(":status", "200"), grpc, ("grpc-status", "5")],
                Outcome::Status(Code::NotFound),
            ),
            (&[(":status", "200"), grpc], Outcome::MissingStatus),
            (&[(":status", "200"), html], Outcome::Status(Code::Unknown)),
            (
                &[(":status", "503"), html],
                Outcome::Status(Code::Unavailable),
            ),
            (&[(":status", "404")], Outcome::Status(Code::Unimplemented)),
            (
                &[(":status", "503"), ("grpc-status", "8")],
                Outcome::Status(Code::ResourceExhausted),
            ),
            (
                &[(":status", "200"), grpc, ("grpc-status", "x")],
                Outcome::Status(Code::Unknown),
            ),
        ];
        for (pairs, outcome) in cases {
            assert_eq!(Head::read(&fields(pairs)).alone(), outcome, "{pairs:?}");
        }
    }

    #[test]
    fn after_a_body_only_trailers_count() {
        let head = Head::read(&fields(&[
            (":status", "200"),
            ("content-type", "application/grpc;x=y"),
            ("grpc-status", "0"),
        ]));
        let trailers = Trailers::read(&fields(&[("grpc-status", "0")]));
        assert_eq!(head.ended(trailers), Outcome::OK);
        assert_eq!(head.ended(Trailers::NONE), Outcome::MissingStatus);
        assert_eq!(
            head.ended(Trailers::read(&fields(&[("a", "b")]))),
            Outcome::MissingStatus
        );
        let proxy = Head::read(&fields(&[(":status", "502")]));
        assert_eq!(
            proxy.ended(Trailers::NONE),
            Outcome::Status(Code::Unavailable)
        );
        assert_eq!(Head::NONE.alone(), Outcome::MissingStatus);
    }

    /// Returns the messages in a body that is received in pieces of this size.
    fn follow(bytes: &[u8], piece: usize, encoded: bool) -> (Vec<(bool, Vec<u8>)>, Body) {
        let (mut body, mut messages, mut current) = (Body::default(), Vec::new(), Vec::new());
        let mut count = 0;
        for bytes in bytes.chunks(piece) {
            count += body.push(bytes, encoded, |piece| match piece {
                Piece::Bytes(bytes) => current.extend_from_slice(bytes),
                Piece::End { encoded } => messages.push((encoded, std::mem::take(&mut current))),
            });
        }
        assert_eq!(count as usize, messages.len());
        (messages, body)
    }

    #[test]
    fn messages_are_followed_in_any_pieces() {
        let cases: [(&[u8], usize, bool, bool); 8] = [
            (b"\0\0\0\0\x02hi", 1, true, true),
            (b"\0\0\0\0\0", 1, true, true),
            (b"", 0, false, true),
            (b"\0\0\0\0", 0, false, false),
            (b"\0\0\0\0\x02h", 0, false, false),
            (b"\0\0\0\0\x02hi\0\0\0\0\0", 2, false, true),
            (b"\x01\0\0\0\x02hi", 0, false, false),
            (b"\0\0\0\0\x02hi\x02\0\0\0\0", 1, false, false),
        ];
        for (bytes, count, unary, stream) in cases {
            for piece in 1..=bytes.len().max(1) {
                let (messages, body) = follow(bytes, piece, false);
                assert_eq!(messages.len(), count, "{bytes:?} by {piece}");
                assert_eq!(body.fits(Kind::Unary), unary, "{bytes:?} by {piece}");
                assert_eq!(
                    body.fits(Kind::ServerStreaming),
                    stream,
                    "{bytes:?} by {piece}"
                );
            }
        }
        let (messages, mut body) = follow(b"\x01\0\0\0\x02hi\0\0\0\0\x01x", 3, true);
        assert_eq!(messages, [(true, b"hi".to_vec()), (false, b"x".to_vec())]);
        assert!(body.fits(Kind::BidiStreaming));
        body.spoil();
        assert!(!body.fits(Kind::BidiStreaming));
    }
}
