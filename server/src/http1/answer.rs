//! Responses on the wire: heads, and bodies delimited by length, by chunks, or by the end of the
//! connection.

use std::io::Write as _;

use corespun_http2::{HeaderList, Token};

use super::{Refusal, Version};

/// Head of a response as HTTP/2 delivered it.
#[derive(Debug)]
pub(super) struct AnswerHead {
    status: u16,
    /// Encoded header lines, one for each field.
    lines: Vec<u8>,
    has_length: bool,
}

/// Delimiter of a response body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No delimiter: there is no body, or `content-length` gives its length.
    Length,
    /// Chunked: a last chunk ends the body.
    Chunks,
    /// End of the connection, for HTTP/1.0.
    Close,
    /// No body is sent: the response is to have a head only.
    HeadOnly,
}

impl AnswerHead {
    pub(super) fn read(list: &HeaderList) -> Self {
        let mut head = Self {
            status: 500,
            lines: Vec::new(),
            has_length: false,
        };
        for field in list.iter() {
            match field.token {
                Token::Status => head.status = status(field.value).unwrap_or(500),
                token => {
                    head.has_length |= token == Token::ContentLength;
                    for part in [field.name, b": ", field.value, b"\r\n"] {
                        head.lines.extend_from_slice(part);
                    }
                }
            }
        }
        head
    }

    /// Writes the head of a response to a request of this form; `ends` is true if no body follows.
    pub(super) fn write(&self, ask: Ask, ends: bool, out: &mut Vec<u8>) -> Framing {
        let is_bodiless = matches!(self.status, 204 | 304);
        let framing = match ask.version {
            _ if ask.is_head || is_bodiless => Framing::HeadOnly,
            _ if ends || self.has_length => Framing::Length,
            Version::One1 => Framing::Chunks,
            Version::One0 => Framing::Close,
        };
        write_status(self.status, out);
        out.extend_from_slice(&self.lines);
        if ends && !self.has_length && !is_bodiless && !ask.is_head {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        if framing == Framing::Chunks {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if !ask.keeps_alive || framing == Framing::Close {
            out.extend_from_slice(b"connection: close\r\n");
        } else if ask.version == Version::One0 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
        framing
    }
}

/// Properties of a request that determine the form of its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) version: Version,
    pub(super) is_head: bool,
    pub(super) keeps_alive: bool,
}

impl Framing {
    /// Writes a part of the body.
    pub(super) fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::HeadOnly => {}
            Self::Length | Self::Close => out.extend_from_slice(bytes),
            // An empty chunk would end the body.
            Self::Chunks if bytes.is_empty() => {}
            Self::Chunks => {
                // Writing to a vector does not fail.
                let _ = write!(out, "{:x}\r\n", bytes.len());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes the end of the body.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if self == Self::Chunks {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

/// Writes the complete response to a refused request; it is the last on its connection.
pub(super) fn write_refusal(refusal: &Refusal, out: &mut Vec<u8>) {
    write_status(refusal.status, out);
    let len = refusal.why.len() + 1;
    // Writing to a vector does not fail.
    let _ = write!(
        out,
        "content-type: text/plain; charset=utf-8\r\ncontent-length: {len}\r\n\
         connection: close\r\n\r\n{}\n",
        refusal.why
    );
}

/// Writes `100 Continue`, so that the client sends its body (RFC 9110 §10.1.1).
pub(super) fn write_continue(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

fn write_status(status: u16, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(out, "HTTP/1.1 {status} {}\r\n", reason(status));
}

/// Returns the reason phrase of a status; it may be empty (RFC 9112 §4).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

fn status(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &[(&str, &str)], ask: Ask, body: Option<&[&str]>) -> String {
        let mut list = HeaderList::new();
        for (name, value) in fields {
            let name = name.as_bytes();
            list.push(Token::of(name), name, value.as_bytes());
        }
        let mut out = Vec::new();
        let framing = AnswerHead::read(&list).write(ask, body.is_none(), &mut out);
        for piece in body.unwrap_or_default() {
            framing.write(piece.as_bytes(), &mut out);
        }
        framing.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn answers_end_where_their_request_can_tell() {
        let one1 = Ask {
            version: Version::One1,
            is_head: false,
            keeps_alive: true,
        };
        let last = Ask {
            keeps_alive: false,
            ..one1
        };
        let one0 = Ask {
            version: Version::One0,
            ..last
        };
        let head = Ask {
            is_head: true,
            ..one1
        };
        let ok = &[(":status", "200"), ("x", "y")][..];
        let sized = &[(":status", "200"), ("content-length", "3")][..];
        let none = &[(":status", "204")][..];
        let body = Some(&["ab", "", "c"][..]);
        for (fields, ask, body, expected) in [
            (
                ok,
                one1,
                body,
                "200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n\
                 2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            ),
            (
                ok,
                one1,
                None,
                "200 OK\r\nx: y\r\ncontent-length: 0\r\n\r\n",
            ),
            (
                ok,
                last,
                None,
                "200 OK\r\nx: y\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            ),
            (
                ok,
                one0,
                body,
                "200 OK\r\nx: y\r\nconnection: close\r\n\r\nabc",
            ),
            (ok, head, body, "200 OK\r\nx: y\r\n\r\n"),
            (sized, one1, body, "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
            (sized, head, None, "200 OK\r\ncontent-length: 3\r\n\r\n"),
            (none, one1, None, "204 No Content\r\n\r\n"),
            (
                sized,
                Ask {
                    keeps_alive: true,
                    ..one0
                },
                body,
                "200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\nabc",
            ),
        ] {
            assert_eq!(written(fields, ask, body), format!("HTTP/1.1 {expected}"));
        }
    }
}
