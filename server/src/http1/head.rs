//! Request heads: parsed into the fields of an HTTP/2 stream, or refused.
//!
//! Text that two implementations might interpret differently is refused. A proxy in front of this
//! server must agree with it about the end of each request (request smuggling, RFC 9112 §11.2).

use corespun_codec::head::is_grpc;
use corespun_http2::{HeaderList, Token};

use super::{Refusal, Version};

/// Largest number of fields in a head; the limit of other servers, and more than browsers send.
const FIELDS_MAX: usize = 100;

/// Delimiter of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// `content-length`; 0 if the head gives no length.
    Exactly(u64),
    /// Chunked: a last chunk ends the body.
    Chunked,
}

/// Parsed head of a request.
#[derive(Debug)]
pub(super) struct Head {
    /// Fields in the form of HTTP/2: pseudo-headers first, names in lower case.
    pub(super) fields: HeaderList,
    pub(super) version: Version,
    pub(super) body: BodyLength,
    /// True if the connection continues after this request.
    pub(super) keeps_alive: bool,
    /// True if the client waits for `100 Continue` before it sends its body.
    pub(super) expects_continue: bool,
    /// True if the response is to have a head only.
    pub(super) is_head: bool,
}

/// Search for the end of a head, and the number of bytes searched so far.
#[derive(Debug, Default)]
pub(super) struct Scan {
    looked_at: usize,
}

impl Scan {
    /// Returns the length of the head at the start of `bytes`, once it is complete.
    ///
    /// # Errors
    ///
    /// 400 for a line that does not end with CR LF, 431 for a head of more than `max` bytes.
    pub(super) fn end(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, Refusal> {
        for at in self.looked_at..bytes.len().min(max) {
            let before = &bytes[..at];
            match bytes[at] {
                b'\n' if before.last() != Some(&b'\r') => {
                    return Err(Refusal::malformed("a line of the head ends in a bare LF"));
                }
                b'\n' if before.ends_with(b"\r\n\r") => return Ok(Some(at + 1)),
                byte if byte != b'\n' && before.last() == Some(&b'\r') => {
                    return Err(Refusal::malformed("the head has a bare CR"));
                }
                _ => {}
            }
            self.looked_at = at + 1;
        }
        if bytes.len() >= max {
            let why = format!("the head of the request has more than {max} bytes");
            return Err(Refusal::new(431, why));
        }
        Ok(None)
    }
}

/// Parses a complete head; `scheme` is the scheme of the connection.
///
/// # Errors
///
/// Refusal with the status to respond with.
pub(super) fn parse(bytes: &[u8], scheme: &str) -> Result<Head, Refusal> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut room);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::malformed("the head is cut short")),
        Err(httparse::Error::TooManyHeaders) => {
            let why = format!("the head has more than {FIELDS_MAX} fields");
            return Err(Refusal::new(431, why));
        }
        Err(httparse::Error::Version) if !names_http(bytes) => return Err(Refusal::foreign()),
        Err(httparse::Error::Version) => {
            return Err(Refusal::new(505, "this port speaks HTTP/1.1 and HTTP/2"));
        }
        Err(error) => {
            return Err(Refusal::malformed(format!(
                "the head is malformed: {error}"
            )));
        }
    }
    let version = match request.version {
        Some(1) => Version::One1,
        _ => Version::One0,
    };
    let mut seen = Seen::default();
    for field in request.headers.iter() {
        seen.note(field.name, field.value.trim_ascii())?;
    }
    let method = request.method.unwrap_or_default();
    let target = Target::parse(method, request.path.unwrap_or_default())?;
    seen.judge(version, method, target, scheme)
}

/// Returns true if the first line of a head names any version of HTTP.
fn names_http(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|&byte| byte == b' ');
    words.any(|word| word.starts_with(b"HTTP/"))
}

/// Target of a request.
struct Target<'a> {
    path: &'a str,
    /// Authority of an absolute target, which overrides `host` (RFC 9112 §3.2.2).
    authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn parse(method: &str, text: &'a str) -> Result<Self, Refusal> {
        let authority = None;
        if method == "CONNECT" {
            return Err(Refusal::new(501, "CONNECT is not served"));
        }
        if text.starts_with('/') || text == "*" && method == "OPTIONS" {
            return Ok(Self {
                path: text,
                authority,
            });
        }
        let start = text
            .get(..7)
            .filter(|start| start.eq_ignore_ascii_case("http://"));
        let start = start.or_else(|| {
            let start = text.get(..8)?;
            start.eq_ignore_ascii_case("https://").then_some(start)
        });
        let Some(rest) = start.map(|start| &text[start.len()..]) else {
            let why = format!("the request's target {text:?} is neither a path nor a URL");
            return Err(Refusal::malformed(why));
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let authority = Some(authority);
        Ok(Self { path, authority })
    }
}

/// Fields of a head as received, before validation.
#[derive(Default)]
struct Seen {
    /// Fields to pass on.
    fields: Vec<(String, Vec<u8>)>,
    host: Option<Vec<u8>>,
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
    expects_continue: bool,
    is_grpc: bool,
}

impl Seen {
    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let name = name.to_ascii_lowercase();
        match &*name {
            "host" => {
                if self.host.replace(value.to_vec()).is_some() {
                    return Err(Refusal::malformed("the request has several host fields"));
                }
            }
            "content-length" => {
                let length = number(value).ok_or_else(|| {
                    let shown = String::from_utf8_lossy(value);
                    Refusal::malformed(format!("content-length is {shown:?}, not a number"))
                })?;
                // Refused even if both are equal, because another implementation might use either.
                if self.length.replace(length).is_some() {
                    let why = "the request has several content-length fields";
                    return Err(Refusal::malformed(why));
                }
            }
            "transfer-encoding" => {
                if std::mem::replace(&mut self.chunked, true) {
                    let why = "the request has several transfer-encoding fields";
                    return Err(Refusal::malformed(why));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    let shown = String::from_utf8_lossy(value);
                    let why = format!("transfer-encoding is {shown:?}, not chunked");
                    return Err(Refusal::new(501, why));
                }
            }
            "connection" => {
                let mut options = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
                self.closes |= options
                    .clone()
                    .any(|one| one.eq_ignore_ascii_case(b"close"));
                self.keeps |= options.any(|one| one.eq_ignore_ascii_case(b"keep-alive"));
            }
            "expect" if value.eq_ignore_ascii_case(b"100-continue") => {
                self.expects_continue = true;
            }
            "expect" => {
                let shown = String::from_utf8_lossy(value);
                return Err(Refusal::new(
                    417,
                    format!("the expectation {shown:?} is not supported"),
                ));
            }
            // Fields of this connection alone are not passed on (RFC 9110 §7.6.1).
            "keep-alive" | "proxy-connection" | "upgrade" | "http2-settings" | "te" | "trailer" => {
            }
            _ => {
                self.is_grpc |= name == "content-type" && is_grpc(value);
                self.fields.push((name, value.to_vec()));
            }
        }
        Ok(())
    }

    fn judge(
        self,
        version: Version,
        method: &str,
        target: Target<'_>,
        scheme: &str,
    ) -> Result<Head, Refusal> {
        let body = match (self.chunked, self.length) {
            (true, Some(_)) => {
                let why = "the request has both content-length and transfer-encoding";
                return Err(Refusal::malformed(why));
            }
            (true, None) if version == Version::One0 => {
                return Err(Refusal::malformed("HTTP/1.0 has no transfer-encoding"));
            }
            (true, None) => BodyLength::Chunked,
            (false, length) => BodyLength::Exactly(length.unwrap_or(0)),
        };
        if self.host.is_none() && version == Version::One1 {
            return Err(Refusal::malformed("the request has no host field"));
        }
        let host = self.host.unwrap_or_default();
        let authority = target.authority.map_or(&*host, str::as_bytes);
        if !authority
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"/?#@\\,".contains(byte))
        {
            let shown = String::from_utf8_lossy(authority);
            return Err(Refusal::malformed(format!("{shown:?} is not a host")));
        }
        if self.is_grpc {
            let why = "gRPC needs HTTP/2; HTTP/1.1 can carry gRPC-Web, where the server offers it";
            return Err(Refusal::new(505, why));
        }
        let mut fields = HeaderList::new();
        let mut push = |name: &[u8], value: &[u8]| fields.push(Token::of(name), name, value);
        push(b":method", method.as_bytes());
        push(b":scheme", scheme.as_bytes());
        push(b":path", target.path.as_bytes());
        if !authority.is_empty() {
            push(b":authority", authority);
        }
        if let Some(length) = self.length {
            push(b"content-length", length.to_string().as_bytes());
        }
        for (name, value) in &self.fields {
            push(name.as_bytes(), value);
        }
        Ok(Head {
            fields,
            version,
            body,
            keeps_alive: !self.closes && (version == Version::One1 || self.keeps),
            expects_continue: self.expects_continue && version == Version::One1,
            is_head: method == "HEAD",
        })
    }
}

/// Parses a number of digits only: no sign, no list (RFC 9110 §8.6).
fn number(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
