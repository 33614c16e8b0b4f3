//! Responses that are not gRPC, such as the error page of a proxy, and the resulting status.

use crate::{Code, Status};
use std::fmt::Write;

/// Number of bytes of the body that the status quotes.
const BODY_BYTES_SHOWN: usize = 256;

/// Number of bytes of the content type that the status quotes.
const CONTENT_TYPE_BYTES_SHOWN: usize = 128;

/// Response whose `:status` is not 200 or whose content type is not gRPC: its head and the first
/// 256 bytes of its body. A call that gets one never ends with OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignResponse {
    http_status: u16,
    content_type: Option<Quote>,
    body: Quote,
}

/// Beginning of a peer's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Quote {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Quote {
    fn push(&mut self, bytes: &[u8], bytes_max: usize) {
        let room = bytes_max - self.bytes.len();
        self.is_cut |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Appends the text in quotation marks; control characters are escaped.
    fn write(&self, out: &mut String) {
        let text = String::from_utf8_lossy(&self.bytes);
        // The cut may have gone through a character.
        let text = match self.is_cut {
            true => text.trim_end_matches('\u{fffd}'),
            false => &text,
        };
        let dots = if self.is_cut { "..." } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(out, "{text:?}{dots}");
    }
}

impl ForeignResponse {
    /// Creates it from a response's head; `content_type` is `None` if the head has none.
    pub(super) fn new(http_status: u16, content_type: Option<&[u8]>) -> Self {
        let content_type = content_type.map(|value| {
            let mut quote = Quote::default();
            quote.push(value, CONTENT_TYPE_BYTES_SHOWN);
            quote
        });
        Self {
            http_status,
            content_type,
            body: Quote::default(),
        }
    }

    /// Takes a piece of the body, of which the first 256 bytes are kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.body.push(bytes, BODY_BYTES_SHOWN);
    }

    /// Returns the status that ends the call: the code of gRPC's `http-grpc-status-mapping.md`,
    /// with `:status`, content type and the beginning of the body in its message.
    ///
    /// `given` is the status of a `grpc-status` field in the trailers. Unless it is OK, its code
    /// wins, and its message too if it has one. Its metadata is kept in any case.
    pub fn into_status(self, given: Option<Status>) -> Status {
        let refined = given
            .as_ref()
            .map(Status::code)
            .filter(|code| *code != Code::Ok);
        match given {
            Some(status) if refined.is_some() && !status.message().is_empty() => status,
            given => {
                let code = refined.unwrap_or(Code::from_http_status(self.http_status));
                let mut status = Status::new(code, self.to_string());
                if let Some(given) = given {
                    status.take_extra(given);
                }
                status
            }
        }
    }
}

impl std::fmt::Display for ForeignResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        match &self.content_type {
            Some(content_type) => {
                text.push_str("content-type ");
                content_type.write(&mut text);
            }
            None => text.push_str("no content-type"),
        }
        if !self.body.bytes.is_empty() {
            text.push_str(", body ");
            self.body.write(&mut text);
        }
        let http_status = self.http_status;
        write!(f, "the response is not gRPC: :status {http_status}, {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(http_status: u16, body: &[u8]) -> ForeignResponse {
        let mut foreign = ForeignResponse::new(http_status, Some(b"text/html"));
        body.chunks(7).for_each(|piece| foreign.push(piece));
        foreign
    }

    #[test]
    fn the_message_quotes_the_beginning_of_the_body() {
        let start = "the response is not gRPC: :status 502, content-type \"text/html\"";
        let long = |len: usize| "x".repeat(len);
        let split = [long(255).as_bytes(), "é".as_bytes()].concat();
        for (body, shown) in [
            (&b""[..], String::new()),
            (b"<h1>no</h1>", ", body \"<h1>no</h1>\"".into()),
            (b"a\0\r\n\x1b[1m", ", body \"a\\0\\r\\n\\u{1b}[1m\"".into()),
            (b"\xff", ", body \"\u{fffd}\"".into()),
            (long(256).as_bytes(), format!(", body \"{}\"", long(256))),
            (long(257).as_bytes(), format!(", body \"{}\"...", long(256))),
            (&split, format!(", body \"{}\"...", long(255))),
        ] {
            let status = page(502, body).into_status(None);
            assert_eq!(status.code(), Code::Unavailable);
            assert_eq!(status.message(), format!("{start}{shown}"));
        }
    }

    #[test]
    fn ok_never_wins() {
        let mut ok = Status::ok("fine");
        ok.metadata_mut().append("x-a", "1").unwrap();
        for (http_status, given, code, message) in [
            (200, None, Code::Unknown, "not gRPC"),
            (200, Some(ok), Code::Unknown, "not gRPC"),
            (404, Some(Status::aborted("")), Code::Aborted, "not gRPC"),
            (404, Some(Status::aborted("busy")), Code::Aborted, "busy"),
        ] {
            let metadata = given.as_ref().map_or(0, |status| status.metadata().len());
            let status = page(http_status, b"").into_status(given);
            assert_eq!(status.code(), code, "{status}");
            assert!(status.message().contains(message), "{status}");
            assert_eq!(status.metadata().len(), metadata);
        }
    }

    #[test]
    fn content_types_are_bounded_and_may_be_missing() {
        let none = ForeignResponse::new(200, None).to_string();
        assert!(none.ends_with(":status 200, no content-type"), "{none}");
        let long = ForeignResponse::new(200, Some(&[b'x'; 129])).to_string();
        assert!(
            long.ends_with(&format!("{}\"...", "x".repeat(128))),
            "{long}"
        );
    }
}
