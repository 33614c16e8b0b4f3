//! The forms of gRPC-Web, told by content types: binary and text, each way.

use corespun_codec::ContentType;
use corespun_http2::{HeaderList, Token};

use super::GrpcWeb;
use super::cors::Origin;
use crate::plain::PlainResponse;

const WEB: &[u8] = b"application/grpc-web";
const TEXT: &[u8] = b"-text";

/// How a call of gRPC-Web is told apart from a native one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WebForm {
    /// The body comes as base64.
    pub(crate) reads_text: bool,
    /// The body goes out as base64.
    pub(crate) writes_text: bool,
    /// Whose page calls.
    pub(super) origin: Origin,
}

/// What a request head asks for, where it is of gRPC-Web's concern.
pub(crate) enum Asked {
    /// Whether a page may call.
    Leave(PlainResponse),
    /// A call. The second is the content type that a native call of its kind has.
    Call(WebForm, Vec<u8>),
}

impl GrpcWeb {
    /// Reads what a request head asks for; `None` when it is of no concern here.
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

/// Whether a content type of gRPC-Web is the text form, and what follows its name: `+proto`,
/// parameters. `None` when it is none of gRPC-Web.
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
    /// The content type of the reply to a call whose native form would have this one.
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
