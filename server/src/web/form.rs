//! Forms of gRPC-Web, binary and text in each direction, from content types.

use corespun_codec::ContentType;
use corespun_http2::{HeaderList, Token};

use super::GrpcWeb;
use super::cors::Origin;
use crate::plain::PlainResponse;

const WEB: &[u8] = b"application/grpc-web";
const TEXT: &[u8] = b"-text";

/// Form and origin of a gRPC-Web call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WebForm {
    /// True if the request body is base64.
    pub(crate) reads_text: bool,
    /// True if the response body is base64.
    pub(crate) writes_text: bool,
    /// Origin of the calling page.
    pub(super) origin: Origin,
}

/// Request that concerns gRPC-Web.
pub(crate) enum Asked {
    /// CORS preflight, with its response.
    Leave(PlainResponse),
    /// Call, with the content type that the equivalent native call has.
    Call(WebForm, Vec<u8>),
}

impl GrpcWeb {
    /// Classifies a request head; `None` if it does not concern gRPC-Web.
    pub(crate) fn read(&self, fields: &HeaderList) -> Option<Asked> {
        if let Some(answer) = self.preflight(fields) {
            return Some(Asked::Leave(answer));
        }
        let (reads_text, rest) = split(fields.first(Token::ContentType)?)?;
        let native = [b"application/grpc", rest].concat();
        let accepted = fields.iter().filter(|field| field.name == b"accept");
        let mut accepted = accepted.flat_map(|field| field.value.split(|&byte| byte == b','));
        let wished = accepted.find_map(|range| split(range.trim_ascii()));
        let form = WebForm {
            reads_text,
            writes_text: wished.map_or(reads_text, |(text, _)| text),
            origin: self.origin(fields),
        };
        Some(Asked::Call(form, native))
    }
}

/// Splits a gRPC-Web content type: true for the text form, and the rest after its name, such as
/// `+proto` and parameters. Returns `None` for any other content type.
fn split(content_type: &[u8]) -> Option<(bool, &[u8])> {
    let rest = without_prefix(content_type, WEB)?;
    let (text, rest) = match without_prefix(rest, TEXT) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    matches!(rest.first(), None | Some(b'+' | b';' | b' ')).then_some((text, rest))
}

fn without_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl WebForm {
    /// Returns the content type of a reply, given that of the native form.
    pub(super) fn content_type(self, native: ContentType) -> &'static [u8] {
        match (self.writes_text, native) {
            (false, ContentType::Grpc) => b"application/grpc-web",
            (false, ContentType::GrpcProto) => b"application/grpc-web+proto",
            (true, ContentType::Grpc) => b"application/grpc-web-text",
            (true, ContentType::GrpcProto) => b"application/grpc-web-text+proto",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, accept: Option<&str>) -> Option<(bool, bool, String)> {
        let mut fields = HeaderList::new();
        for (name, value) in [("content-type", Some(content_type)), ("accept", accept)] {
            if let Some(value) = value {
                let name = name.as_bytes();
                fields.push(Token::of(name), name, value.as_bytes());
            }
        }
        match GrpcWeb::new().read(&fields)? {
            Asked::Call(form, native) => {
                let native = String::from_utf8(native).unwrap();
                Some((form.reads_text, form.writes_text, native))
            }
            Asked::Leave(_) => None,
        }
    }

    #[test]
    fn forms_are_told_by_content_type_and_accept() {
        for (content_type, accept, text_in, text_out, native) in [
            (
                "application/grpc-web",
                None,
                false,
                false,
                "application/grpc",
            ),
            (
                "Application/gRPC-Web+proto",
                None,
                false,
                false,
                "application/grpc+proto",
            ),
            (
                "application/grpc-web-text",
                None,
                true,
                true,
                "application/grpc",
            ),
            (
                "application/grpc-web-text+proto",
                Some("*/*"),
                true,
                true,
                "application/grpc+proto",
            ),
            (
                "application/grpc-web+json",
                None,
                false,
                false,
                "application/grpc+json",
            ),
            (
                "application/grpc-web; a=b",
                None,
                false,
                false,
                "application/grpc; a=b",
            ),
            (
                "application/grpc-web",
                Some("application/grpc-web-text"),
                false,
                true,
                "application/grpc",
            ),
            (
                "application/grpc-web-text",
                Some("text/html, application/grpc-web+proto"),
                true,
                false,
                "application/grpc",
            ),
        ] {
            let expected = Some((text_in, text_out, native.to_owned()));
            assert_eq!(read(content_type, accept), expected, "{content_type}");
        }
    }

    #[test]
    fn other_types_are_of_no_concern() {
        for other in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-webs",
            "application/grpc-web-texts",
            "application/json",
            "",
        ] {
            assert_eq!(read(other, None), None, "{other}");
        }
    }
}
