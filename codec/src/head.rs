//! Heads of calls: conversion between header fields and the data that a call needs.
//!
//! Both sides follow "gRPC over HTTP/2" and gRFC A41. Header lists that are malformed in HTTP/2
//! terms (order of pseudo-headers, `connection`, forbidden characters) are refused before they
//! reach this module.

mod foreign;
mod response;

pub use foreign::ForeignResponse;
pub use response::{ResponseStart, parse_response, response_fields};

use crate::{
    Drain, Draining, Encoding, Encodings, HeadError, MetadataMap, PeerIdentity, Status, timeout,
};
use std::rc::Rc;
use std::time::Duration;

/// `user-agent` of our client.
pub const USER_AGENT: &str = concat!("grpc-rust-corespun/", env!("CARGO_PKG_VERSION"));

const CONTENT_TYPE: &[u8] = b"application/grpc";

/// Name and value of one header field.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// Bytes that every field counts for in the size of a header list in addition to its name and value
/// (RFC 9113 §6.5.2).
pub(crate) const FIELD_OVERHEAD_BYTES: usize = 32;

/// Returns the size of a header list in bytes, as SETTINGS_MAX_HEADER_LIST_SIZE counts it
/// (RFC 9113 §6.5.2).
pub fn list_bytes<'a>(fields: impl Iterator<Item = Field<'a>>) -> usize {
    fields
        .map(|(name, value)| name.len() + value.len() + FIELD_OVERHEAD_BYTES)
        .sum()
}

/// Content type of a request, which the response repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/grpc`.
    #[default]
    Grpc,
    /// `application/grpc+proto`.
    GrpcProto,
}

impl ContentType {
    /// Returns the value used on the wire.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Grpc => CONTENT_TYPE,
            Self::GrpcProto => b"application/grpc+proto",
        }
    }
}

/// Data that a request carries before its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// Metadata, including `user-agent`.
    pub metadata: MetadataMap,
    /// Time that the caller allows, counted from the arrival of the head.
    pub timeout: Option<Duration>,
    /// Address of the caller, as text; not from the header list.
    pub peer: Option<Rc<str>>,
    /// TLS identity or Unix credentials of the caller; not from the header list.
    pub identity: Option<Rc<PeerIdentity>>,
    /// Notice of the connection's drain; not from the header list.
    pub drain: Option<Rc<Drain>>,
    /// Host that the caller addressed.
    pub authority: String,
    /// Encoding of the request messages.
    pub encoding: Encoding,
    /// Encodings that the caller accepts for response messages.
    pub accept_encodings: Encodings,
    /// Content type of the response.
    pub content_type: ContentType,
}

impl RequestHead {
    /// Returns a future that is ready once the connection of the request drains.
    pub fn draining(&self) -> Draining {
        self.drain.as_ref().map(Drain::watch).unwrap_or_default()
    }

    /// Resets all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.metadata.clear();
        self.authority.clear();
        self.timeout = None;
        self.peer = None;
        self.identity = None;
        self.drain = None;
        self.encoding = Encoding::Identity;
        self.accept_encodings = Encodings::IDENTITY;
        self.content_type = ContentType::Grpc;
    }
}

/// Fields of a request, before they are validated.
#[derive(Default)]
struct Seen<'a> {
    method: &'a [u8],
    path: &'a [u8],
    authority: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    content_type: &'a [u8],
    encoding: Option<&'a [u8]>,
    refusal: Option<Status>,
}

/// Parses a request's header fields into `head`, and returns its path. Overwrites all of `head`
/// except the peer and its identity, which are not header fields.
///
/// # Errors
/// With the HTTP status and the gRPC status to answer: 405 when the method is not POST, 415 when
/// the content type is not gRPC, 400 when a field is malformed, else 200 with UNIMPLEMENTED.
pub fn parse_request<'a>(
    fields: impl Iterator<Item = Field<'a>>,
    head: &mut RequestHead,
) -> Result<&'a [u8], HeadError> {
    parse_request_in(Encodings::ALL, fields, head)
}

/// Parses a request's header fields as [`parse_request`] does, for a server that accepts messages
/// only in the `accepted` encodings.
///
/// # Errors
/// As [`parse_request`]; an encoding that is not among them gets UNIMPLEMENTED with a
/// `grpc-accept-encoding` that lists them (gRPC `compression.md`).
pub fn parse_request_in<'a>(
    accepted: Encodings,
    fields: impl Iterator<Item = Field<'a>>,
    head: &mut RequestHead,
) -> Result<&'a [u8], HeadError> {
    let (peer, identity, drain) = (head.peer.take(), head.identity.take(), head.drain.take());
    head.clear();
    (head.peer, head.identity, head.drain) = (peer, identity, drain);
    let mut seen = Seen::default();
    for (name, value) in fields {
        seen.note(name, value, head);
    }
    seen.judge(accepted, head)
}

impl<'a> Seen<'a> {
    fn note(&mut self, name: &'a [u8], value: &'a [u8], head: &mut RequestHead) {
        match name {
            b":method" => self.method = value,
            b":path" => self.path = value,
            b":authority" => self.once(value, |seen| &mut seen.authority, ":authority"),
            b"host" => self.once(value, |seen| &mut seen.host, "host"),
            b"content-type" => self.content_type = value,
            b"te" if value.eq_ignore_ascii_case(b"trailers") => {}
            b"te" => self.refuse(Status::internal(format!(
                "te is {}, not trailers",
                shown(value)
            ))),
            b"grpc-timeout" => match timeout::parse(value) {
                Ok(timeout) => head.timeout = Some(timeout),
                Err(status) => self.refuse(status),
            },
            b"grpc-encoding" => self.encoding = Some(value),
            b"grpc-accept-encoding" => head.accept_encodings = Encodings::parse(value),
            _ => {
                if let Err(error) = head.metadata.receive(name, value) {
                    self.refuse(error.into());
                }
            }
        }
    }

    fn once(
        &mut self,
        value: &'a [u8],
        place: impl FnOnce(&mut Self) -> &mut Option<&'a [u8]>,
        name: &str,
    ) {
        if place(self).replace(value).is_some() {
            self.refuse(Status::internal(format!(
                "the request has several {name} fields"
            )));
        }
    }

    fn refuse(&mut self, status: Status) {
        self.refusal.get_or_insert(status);
    }

    fn judge(self, accepted: Encodings, head: &mut RequestHead) -> Result<&'a [u8], HeadError> {
        let refused = |http_status, status| {
            Err(HeadError {
                http_status,
                status,
            })
        };
        if self.method != b"POST" {
            let text = format!(":method is {}, not POST", shown(self.method));
            return refused(405, Status::internal(text));
        }
        let Some(subtype) = subtype(self.content_type) else {
            return refused(415, Status::unknown(wrong_content_type(self.content_type)));
        };
        if let Some(status) = self.refusal {
            return refused(400, status);
        }
        // gRFC A41: `host` stands in for a missing `:authority`, and is ignored beside one.
        let authority = self.authority.or(self.host).unwrap_or_default();
        head.authority.push_str(&String::from_utf8_lossy(authority));
        if !self.path.starts_with(b"/") {
            let text = format!("malformed method path: {}", shown(self.path));
            return refused(200, Status::unimplemented(text));
        }
        head.content_type = match subtype {
            b"" => ContentType::Grpc,
            _ if subtype.eq_ignore_ascii_case(b"proto") => ContentType::GrpcProto,
            _ => {
                let text = format!("messages of type {} are not supported", shown(subtype));
                return refused(200, Status::unimplemented(text));
            }
        };
        head.encoding = match encoding(self.encoding, accepted) {
            Ok(encoding) => encoding,
            Err(text) => {
                let mut status = Status::unimplemented(text);
                let accepted = accepted.text().as_bytes();
                status
                    .metadata_mut()
                    .push_reserved("grpc-accept-encoding", accepted);
                return refused(200, status);
            }
        };
        Ok(self.path)
    }
}

/// Returns `true` for the content type of a gRPC call: `application/grpc`, alone or with `+` and a
/// subtype.
pub fn is_grpc(content_type: &[u8]) -> bool {
    subtype(content_type).is_some()
}

/// Returns the subtype after `application/grpc+`, empty if there is none; `None` if the type is not
/// gRPC. Parameters and the blanks around `;` are skipped (RFC 9110 §8.3.1).
fn subtype(content_type: &[u8]) -> Option<&[u8]> {
    let (start, rest) = content_type
        .trim_ascii()
        .split_at_checked(CONTENT_TYPE.len())?;
    if !start.eq_ignore_ascii_case(CONTENT_TYPE) {
        return None;
    }
    let suffix = rest.split(|&byte| byte == b';').next().unwrap_or_default();
    match suffix.trim_ascii_end().split_first() {
        None => Some(&[]),
        Some((b'+', subtype)) => Some(subtype),
        Some(_) => None,
    }
}

fn encoding(value: Option<&[u8]>, accepted: Encodings) -> Result<Encoding, String> {
    let Some(value) = value else {
        return Ok(Encoding::Identity);
    };
    Encoding::parse(value)
        .filter(|encoding| accepted.contains(*encoding))
        .ok_or_else(|| {
            let accepted = accepted.text();
            format!(
                "grpc-encoding {} is not accepted, only {accepted}",
                shown(value)
            )
        })
}

fn wrong_content_type(value: &[u8]) -> String {
    format!("content-type is {}, not application/grpc", shown(value))
}

fn shown(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}

/// Target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port.
    pub authority: &'a str,
    /// `/package.Service/Name`.
    pub path: &'a str,
}

/// Returns the fields of a request's head. `timeout` is the `grpc-timeout` value that
/// [`timeout::write`] makes; a `user-agent` in the metadata replaces ours.
pub fn request_fields<'a>(
    target: Target<'a>,
    timeout: Option<&'a [u8]>,
    metadata: &'a MetadataMap,
) -> impl Iterator<Item = Field<'a>> + Clone {
    let start: [Field<'a>; 6] = [
        (b":method", b"POST"),
        (b":scheme", target.scheme.as_bytes()),
        (b":path", target.path.as_bytes()),
        (b":authority", target.authority.as_bytes()),
        (b"te", b"trailers"),
        (b"content-type", CONTENT_TYPE),
    ];
    let agent = (!metadata.contains_key("user-agent"))
        .then_some((&b"user-agent"[..], USER_AGENT.as_bytes()));
    let timeout = timeout.map(|text| (&b"grpc-timeout"[..], text));
    start
        .into_iter()
        .chain(agent)
        .chain(timeout)
        .chain(metadata.fields())
}

#[cfg(test)]
mod tests;
