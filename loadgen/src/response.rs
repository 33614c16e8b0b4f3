//! What a response says, read from its header blocks and the length prefix of its message.

use corespun_codec::{Code, Status, message};
use corespun_http2::{HeaderList, Token};

use crate::outcome::Outcome;

/// What a response head means. Small, so that a head seen before is looked up instead of read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// What the call ends with unless a `grpc-status` says better.
    otherwise: Outcome,
    /// The `grpc-status` in the head itself: it counts only when nothing follows.
    status: Option<Code>,
}

impl Head {
    /// A head that says nothing.
    pub(crate) const NONE: Self = Self {
        otherwise: Outcome::MissingStatus,
        status: None,
    };

    /// Reads `:status` and `content-type` (gRPC `http-grpc-status-mapping.md`) and, for a
    /// trailers-only response, `grpc-status`.
    pub(crate) fn read(fields: &HeaderList) -> Self {
        let http_status = fields
            .first(Token::Status)
            .and_then(|text| std::str::from_utf8(text).ok()?.parse::<u16>().ok());
        let grpc = fields.first(Token::ContentType).is_some_and(is_grpc);
        let otherwise = match http_status {
            Some(200) if grpc => Outcome::MissingStatus,
            Some(200) => Outcome::Status(Code::Unknown),
            Some(status) => Outcome::Status(Status::from_http_status(status).code()),
            None => Outcome::Status(Code::Internal),
        };
        Self {
            otherwise,
            status: grpc_status(fields),
        }
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

/// Follows a response's body through any pieces, without keeping it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Body {
    prefix: [u8; message::PREFIX_BYTES],
    seen: u64,
}

impl Body {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.seen < message::PREFIX_BYTES as u64 {
            let at = self.seen as usize;
            let missing = &mut self.prefix[at..];
            let taken = missing.len().min(bytes.len());
            missing[..taken].copy_from_slice(&bytes[..taken]);
        }
        self.seen += bytes.len() as u64;
    }

    /// The bytes were exactly one whole message, not compressed, as none was offered.
    pub(crate) fn is_one_message(&self) -> bool {
        let [flag, length @ ..] = self.prefix;
        let whole = message::PREFIX_BYTES as u64 + u64::from(u32::from_be_bytes(length));
        flag == 0 && self.seen >= message::PREFIX_BYTES as u64 && self.seen == whole
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

    #[test]
    fn one_message_in_any_pieces() {
        let cases: [(&[u8], bool); 7] = [
            (b"\0\0\0\0\x02hi", true),
            (b"\0\0\0\0\0", true),
            (b"", false),
            (b"\0\0\0\0", false),
            (b"\0\0\0\0\x02h", false),
            (b"\0\0\0\0\x02hi\0\0\0\0\0", false),
            (b"\x01\0\0\0\x02hi", false),
        ];
        for (bytes, whole) in cases {
            for piece in 1..=bytes.len().max(1) {
                let mut body = Body::default();
                bytes.chunks(piece).for_each(|piece| body.push(piece));
                assert_eq!(body.is_one_message(), whole, "{bytes:?} by {piece}");
            }
        }
    }
}
