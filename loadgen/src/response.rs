//! What a response says, read from its header blocks and the length prefixes of its messages.

use corespun_codec::{Code, Encoding, Kind, message};
use corespun_http2::{HeaderList, Token};

use crate::outcome::Outcome;

/// What a response head means. Small, so that a head seen before is looked up instead of read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// What the call ends with unless a `grpc-status` says better.
    otherwise: Outcome,
    /// The `grpc-status` in the head itself: it counts only when nothing follows.
    status: Option<Code>,
    /// How messages are encoded that say they are.
    encoding: Encoding,
    /// HTTP status of an answer that is not gRPC's; 0 of one that is.
    foreign: u16,
}

impl Head {
    /// A head that says nothing.
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

    /// Reason of a failure that the answer itself does not give.
    pub(crate) fn reason(self) -> Option<String> {
        (self.foreign != 0).then(|| format!("HTTP {}, not gRPC", self.foreign))
    }

    /// How messages are encoded that say they are; [`Encoding::Identity`] if none may say so.
    pub(crate) fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The end of a response that was this head alone.
    pub(crate) fn alone(self) -> Outcome {
        self.status.map_or(self.otherwise, Outcome::Status)
    }

    /// The end of a response with these trailers, none if it ended with its body.
    pub(crate) fn ended(self, trailers: Trailers) -> Outcome {
        trailers.0.map_or(self.otherwise, Outcome::Status)
    }
}

/// What the trailers of a response mean: their `grpc-status`, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailers(Option<Code>);

impl Trailers {
    /// No trailers, or none that tell how the call ended.
    pub(crate) const NONE: Self = Self(None);

    /// Reads `grpc-status`.
    pub(crate) fn read(fields: &HeaderList) -> Self {
        Self(grpc_status(fields))
    }
}

/// A status that is no number is there but tells nothing: UNKNOWN, not missing.
fn grpc_status(fields: &HeaderList) -> Option<Code> {
    fields
        .first(Token::GrpcStatus)
        .map(|text| Code::parse(text).unwrap_or(Code::Unknown))
}

/// `application/grpc`, with or without a subtype or parameters.
fn is_grpc(value: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    value
        .split_at_checked(PREFIX.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(PREFIX) && matches!(rest.first(), None | Some(b'+' | b';'))
        })
}

/// A part of a body, as [`Body::push`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Bytes of the message that is under way.
    Bytes(&'a [u8]),
    /// That message has come in full.
    End {
        /// Its prefix said that it is encoded.
        encoded: bool,
    },
}

/// Follows a response's messages through any pieces, without keeping them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Body {
    prefix: [u8; message::PREFIX_BYTES],
    /// How much of the prefix has come.
    prefixed: u8,
    /// What of the message is still to come, once its prefix has.
    left: u32,
    messages: u32,
    broken: bool,
}

impl Body {
    /// Takes the next piece; how many messages it completes. Messages may be encoded if the head
    /// said how (`encoded`). What is in the piece goes to `take`, in its order.
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

    /// Takes what is missing of the prefix; what is left of the bytes.
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

    /// A prefix made no sense.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// A message made no sense.
    pub(crate) fn spoil(&mut self) {
        self.broken = true;
    }

    /// The bytes were whole messages, as many as a good call of this kind has.
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

    /// The messages in a body that comes in pieces of this size, and the body.
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
