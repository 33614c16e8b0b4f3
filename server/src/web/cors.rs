//! Cross-origin requests (the CORS protocol of the Fetch standard): access of pages by their
//! origin.

use corespun_http2::{HeaderList, Token};

use super::GrpcWeb;
use crate::plain::PlainResponse;

/// Response fields that pages may read in addition to metadata.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin";

/// Result of matching the origin of a request with the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// No origin, or one that is not allowed: CORS fields are omitted.
    Unnamed,
    /// All origins are allowed.
    Any,
    /// Allowed origin at this index of the rules.
    Listed(u32),
}

impl GrpcWeb {
    /// Matches the origin of a request with the rules.
    pub(super) fn origin(&self, fields: &HeaderList) -> Origin {
        let Some(origin) = value(fields, b"origin") else {
            return Origin::Unnamed;
        };
        let mut listed = self.0.origins.iter();
        match listed.position(|known| known.as_bytes() == origin) {
            Some(at) => u32::try_from(at).map_or(Origin::Unnamed, Origin::Listed),
            None if self.0.any => Origin::Any,
            None => Origin::Unnamed,
        }
    }

    /// Returns the response to a CORS preflight; `None` for any other request.
    pub(super) fn preflight(&self, fields: &HeaderList) -> Option<PlainResponse> {
        if fields.first(Token::Method) != Some(b"OPTIONS") {
            return None;
        }
        let origin = value(fields, b"origin")?;
        value(fields, b"access-control-request-method")?;
        let answer = match self.origin(fields) {
            Origin::Unnamed => {
                let origin = String::from_utf8_lossy(origin);
                let text = format!("pages of the origin {origin} may not call here\n");
                PlainResponse::new(403, text).header("content-type", "text/plain; charset=utf-8")
            }
            allowed => self.grant(allowed, value(fields, b"access-control-request-headers")),
        };
        let varies = "origin, access-control-request-method, access-control-request-headers";
        Some(answer.header("vary", varies))
    }

    fn grant(&self, origin: Origin, asked: Option<&[u8]>) -> PlainResponse {
        let mut answer = PlainResponse::new(204, "");
        for (name, value) in self.origin_fields(origin) {
            answer = answer.header(name, value);
        }
        let age = self.0.max_age.as_secs().to_string();
        answer = answer
            .header("access-control-allow-methods", "POST")
            .header("access-control-max-age", age);
        // Metadata may have any name; the browser lists the names that it is about to send.
        match asked.filter(|names| names.iter().all(is_of_name_list)) {
            Some(names) => answer.header("access-control-allow-headers", names),
            None => answer,
        }
    }

    /// Returns the fields that permit a page of this origin to read the response.
    fn origin_fields(&self, origin: Origin) -> impl Iterator<Item = (&'static str, &str)> + Clone {
        let allowed = match origin {
            Origin::Unnamed => None,
            Origin::Any => Some("*"),
            Origin::Listed(at) => self.0.origins.get(at as usize).map(String::as_str),
        };
        let credentials = self.0.credentials && matches!(origin, Origin::Listed(_));
        let origin = allowed.map(|allowed| ("access-control-allow-origin", allowed));
        let credentials = credentials.then_some(("access-control-allow-credentials", "true"));
        origin.into_iter().chain(credentials)
    }

    /// Returns the CORS fields of a reply. `exposed` is the result of [`exposed_names`].
    pub(super) fn reply_fields<'a>(
        &'a self,
        origin: Origin,
        exposed: &'a str,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
        let exposed =
            (origin != Origin::Unnamed).then_some(("access-control-expose-headers", exposed));
        // Sent without permission too, so that a cache does not reuse a response for another
        // origin.
        let varies = std::iter::once(("vary", "origin"));
        let fields = self.origin_fields(origin).chain(exposed).chain(varies);
        fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }
}

/// Returns the list of fields that a page may read: the status, and metadata of these names.
pub(super) fn exposed_names<'a>(metadata: impl Iterator<Item = &'a str>) -> String {
    let mut names = EXPOSED.to_owned();
    for name in metadata {
        names.push_str(", ");
        names.push_str(name);
    }
    names
}

fn value<'a>(fields: &'a HeaderList, name: &[u8]) -> Option<&'a [u8]> {
    let mut fields = fields.iter();
    let found = fields.find(|field| field.name == name)?;
    Some(found.value)
}

/// Returns true for a character of a list of field names: tokens (RFC 9110 §5.6.2), commas and
/// spaces.
fn is_of_name_list(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[(&str, &str)] = &[
        (":method", "OPTIONS"),
        (":path", "/user.UserService/GetUser"),
        ("access-control-request-method", "POST"),
    ];

    fn list(fields: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::new();
        for (name, value) in fields {
            let name = name.as_bytes();
            list.push(Token::of(name), name, value.as_bytes());
        }
        list
    }

    fn ask(web: &GrpcWeb, more: &[(&str, &str)]) -> Option<(u16, String)> {
        let answer = web.preflight(&list(&[OPTIONS, more].concat()))?;
        let fields = answer.fields().iter().map(|field| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            format!("{}: {}\n", text(field.name), text(field.value))
        });
        Some((answer.status(), fields.collect()))
    }

    const VARY: &str =
        "vary: origin, access-control-request-method, access-control-request-headers\n";

    #[test]
    fn pages_of_allowed_origins_get_leave() {
        let web = GrpcWeb::new().allow_origin("https://a.example");
        let names = (
            "access-control-request-headers",
            "content-type,x-grpc-web,x-team",
        );
        let expected = |origin: &str, credentials: &str| {
            let text = format!(
                "access-control-allow-origin: {origin}\n{credentials}\
                 access-control-allow-methods: POST\naccess-control-max-age: 7200\n\
                 access-control-allow-headers: content-type,x-grpc-web,x-team\n{VARY}"
            );
            Some((204, text))
        };
        let origin = ("origin", "https://a.example");
        let found = ask(&web, &[origin, names]);
        assert_eq!(found, expected("https://a.example", ""));
        let found = ask(&web.clone().allow_credentials(), &[origin, names]);
        let credentials = "access-control-allow-credentials: true\n";
        assert_eq!(found, expected("https://a.example", credentials));
        let any = GrpcWeb::new().allow_any_origin().allow_credentials();
        assert_eq!(ask(&any, &[origin, names]), expected("*", ""));
    }

    #[test]
    fn others_get_no_fields_of_cors() {
        let web = GrpcWeb::new().allow_origin("https://a.example");
        for origin in ["https://b.example", "https://a.example.org", "null", ""] {
            let (status, fields) = ask(&web, &[("origin", origin)]).unwrap();
            assert_eq!(status, 403, "{origin}");
            assert!(!fields.contains("access-control-allow"), "{fields}");
            let list = list(&[("origin", origin)]);
            let fields: Vec<_> = web.reply_fields(web.origin(&list), EXPOSED).collect();
            assert_eq!(fields, [(&b"vary"[..], &b"origin"[..])]);
        }
    }

    #[test]
    fn only_what_a_browser_asks_is_answered() {
        let web = GrpcWeb::new().allow_any_origin();
        assert_eq!(ask(&web, &[]), None);
        let no_method = list(&[(":method", "OPTIONS"), ("origin", "https://a.example")]);
        assert!(web.preflight(&no_method).is_none());
        let odd = ("access-control-request-headers", "a, b: c");
        let (status, fields) = ask(&web, &[("origin", "https://a.example"), odd]).unwrap();
        assert_eq!(status, 204);
        assert!(!fields.contains("allow-headers"), "{fields}");
    }
}
