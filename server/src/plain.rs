//! Plain requests: HTTP requests that are not gRPC calls, from browsers, probes or `curl`.
//!
//! One synchronous handler per shard answers every request whose content type is not gRPC's. It is
//! meant for small resources such as `/healthz` or `/metrics`. The whole request body is collected
//! before the handler runs, and the whole response body is returned at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use bytes::Bytes;
use corespun_codec::head;
use corespun_http2::{HeaderList, Token};

/// Plain-request handler of one shard.
pub(crate) type Plain = dyn Fn(&PlainRequest<'_>) -> PlainResponse;

/// Head of a plain request, kept while its body is received.
pub(crate) struct PlainHead {
    fields: HeaderList,
    method: String,
    path: String,
    peer: Option<Rc<str>>,
}

impl PlainHead {
    /// Copies a header list, unless it asks for a gRPC call.
    pub(crate) fn read(fields: &HeaderList, peer: Option<&Rc<str>>) -> Option<Self> {
        let text = |token| String::from_utf8_lossy(fields.first(token).unwrap_or_default());
        let content_type = fields.first(Token::ContentType).unwrap_or_default();
        (!head::is_grpc(content_type)).then(|| Self {
            method: text(Token::Method).into_owned(),
            path: text(Token::Path).into_owned(),
            fields: fields.clone(),
            peer: peer.cloned(),
        })
    }

    /// Returns true if fields were dropped for a limit, so that the request is incomplete.
    pub(crate) fn is_cut(&self) -> bool {
        self.fields.overflowed()
    }

    /// Returns true if the request announces a body of more than `max` bytes.
    pub(crate) fn announces_more_than(&self, max: usize) -> bool {
        let length = self.fields.first(Token::ContentLength);
        let length = length.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        length.is_some_and(|length: u64| length > max as u64)
    }

    /// Returns true if `host` and `:authority` name different hosts, which makes the request
    /// malformed (RFC 9113 §8.3.1). Not applied to calls, because gRFC A41 ignores `host` there.
    pub(crate) fn is_misdirected(&self) -> bool {
        let first = |token| Some(without_port(self.fields.first(token)?, &self.fields));
        match (first(Token::Authority), first(Token::Host)) {
            (Some(authority), Some(host)) => !authority.eq_ignore_ascii_case(host),
            _ => false,
        }
    }

    /// Returns true if a value begins or ends with a blank, which makes the request malformed (RFC
    /// 9113 §8.2.1). Not applied to calls, because gRPC permits such blanks to be stripped.
    pub(crate) fn has_blank_edge(&self) -> bool {
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        let mut values = self.fields.iter().map(|field| field.value);
        values.any(|value| is_blank(value.first()) || is_blank(value.last()))
    }

    /// Returns true if the response is to have a head only (RFC 9110 §9.3.2).
    pub(crate) fn wants_no_body(&self) -> bool {
        self.method == "HEAD"
    }
}

/// Returns a host without the port that its scheme implies (RFC 3986 §6.2.3).
fn without_port<'a>(host: &'a [u8], fields: &HeaderList) -> &'a [u8] {
    let port: &[u8] = match fields.first(Token::Scheme) {
        Some(b"http") => b":80",
        Some(b"https") => b":443",
        _ => b"",
    };
    host.strip_suffix(port).unwrap_or(host)
}

/// Plain HTTP request with its whole body.
pub struct PlainRequest<'a> {
    pub(crate) head: &'a PlainHead,
    pub(crate) body: &'a [u8],
}

impl<'a> PlainRequest<'a> {
    /// Returns the method, such as `GET`.
    pub fn method(&self) -> &'a str {
        &self.head.method
    }

    /// Returns the path without its query; empty for CONNECT, which has none.
    pub fn path(&self) -> &'a str {
        self.split_path().0
    }

    /// Returns the text after the first `?` of the path.
    pub fn query(&self) -> Option<&'a str> {
        self.split_path().1
    }

    fn split_path(&self) -> (&'a str, Option<&'a str>) {
        match self.head.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&self.head.path, None),
        }
    }

    /// Returns the value of the first field with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let mut headers = self.headers();
        headers.find_map(|(field, value)| (field == name.as_bytes()).then_some(value))
    }

    /// Returns all fields in the order of the wire, pseudo-headers such as `:path` first.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let fields = self.head.fields.iter();
        fields.map(|field| (field.name, field.value))
    }

    /// Returns the body; at most
    /// [`Config::plain_body_bytes_max`](crate::Config::plain_body_bytes_max) bytes.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Returns the client's address as text.
    pub fn peer(&self) -> Option<&'a str> {
        self.head.peer.as_deref()
    }
}

/// Response to a [`PlainRequest`].
///
/// The server writes `content-length`. The body of a response to HEAD, and that of a 204 or 304, is
/// not sent.
///
/// ```
/// # use corespun_server::{PlainRequest, PlainResponse};
/// fn answer(request: &PlainRequest<'_>) -> PlainResponse {
///     match (request.method(), request.path()) {
///         ("GET" | "HEAD", "/healthz") => {
///             PlainResponse::new(200, "ok\n").header("content-type", "text/plain")
///         }
///         (_, "/healthz") => PlainResponse::new(405, "").header("allow", "GET, HEAD"),
///         _ => PlainResponse::new(404, "there is nothing here\n"),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PlainResponse {
    status: u16,
    fields: HeaderList,
    body: Bytes,
}

impl PlainResponse {
    /// Creates a response with this HTTP status, 200 to 599, and this body.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            fields: HeaderList::new(),
            body: body.into(),
        }
    }

    /// Appends a field. The name must be in lower case, and neither name nor value may have
    /// characters that RFC 9113 §8.2.1 forbids: such a response is sent as a 500, with the reason
    /// in the log.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.as_bytes();
        self.fields.push(Token::of(name), name, value.as_ref());
        self
    }

    /// Returns the HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Returns the fields other than `:status` and `content-length`.
    pub(crate) fn fields(&self) -> &HeaderList {
        &self.fields
    }

    /// Returns the body that the handler set.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns true if a response with this status never has a body (RFC 9110 §15.3.5, §15.4.5).
    pub(crate) fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// Returns the reason why the response is invalid, if it is.
    fn fault(&self) -> Option<String> {
        if !(200..600).contains(&self.status) {
            return Some(format!("its status is {}, not 200 to 599", self.status));
        }
        let refused = self.fields.iter().find(|field| {
            let ours = matches!(
                field.token,
                Token::ContentLength
                    | Token::Connection
                    | Token::KeepAlive
                    | Token::ProxyConnection
                    | Token::TransferEncoding
                    | Token::Upgrade
            );
            ours || !field.well_formed || !field.is_trimmed() || field.name.starts_with(b":")
        })?;
        Some(format!("it may not have the field {refused:?}"))
    }
}

/// Calls the handler. A panic, or a response that violates HTTP, becomes a 500.
pub(crate) fn ask(handler: &Plain, request: &PlainRequest<'_>) -> PlainResponse {
    let Ok(response) = catch_unwind(AssertUnwindSafe(|| handler(request))) else {
        return PlainResponse::new(500, "the handler panicked\n");
    };
    match response.fault() {
        None => response,
        Some(fault) => {
            tracing::error!(path = request.path(), %fault, "failed to send a plain response");
            PlainResponse::new(500, "the response violates HTTP\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_held_against_http() {
        let with = |name, value: &str| PlainResponse::new(200, "").header(name, value).fault();
        assert_eq!(with("content-type", "text/plain; charset=utf-8"), None);
        for status in [200, 404, 599] {
            assert_eq!(PlainResponse::new(status, "").fault(), None);
        }
        for status in [0, 100, 199, 600] {
            let fault = PlainResponse::new(status, "").fault();
            assert!(fault.is_some_and(|text| text.contains(&status.to_string())));
        }
        let bad = [
            ("Content-Type", "text/plain"),
            ("a b", "c"),
            ("", "c"),
            ("a", "b\r\nc: d"),
            ("a", " b"),
            (":status", "204"),
            ("content-length", "3"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
        ];
        for (name, value) in bad {
            assert!(with(name, value).is_some(), "{name}: {value}");
        }
    }
}
