//! gRPC-Web: calls by browser pages, which have no access to trailers or HTTP/2 frames.
//!
//! Such a call is an ordinary HTTP/2 call until its reply is written. Its status is sent as one
//! more frame of the body, and in the text form the whole body is base64 (`PROTOCOL-WEB.md` of
//! gRPC). Browsers also need the CORS responses.

mod cors;
mod form;
mod reply;
mod text;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use form::{Asked, WebForm};
pub(crate) use text::TextDecoder;

use crate::error::Error;

/// Default time for which browsers may cache a preflight response; Chromium's own maximum.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Longest time that a connection may stay without a request; longer than browsers keep one.
const IDLE_MAX: Duration = Duration::from_secs(5 * 60);

/// Origins whose pages may call by gRPC-Web, and CORS settings; see
/// [`ServerBuilder::grpc_web`](crate::ServerBuilder::grpc_web).
///
/// A page may always call the origin that it came from. Any other origin has to be allowed: a
/// response to any other page has no CORS fields, so that the browser withholds it from the page.
/// CORS does not restrict clients that are not browsers: access control is the task of
/// interceptors.
/// ```
/// # use corespun_server::GrpcWeb;
/// let web = GrpcWeb::new().allow_origin("https://app.example").allow_credentials();
/// ```
#[derive(Clone, Debug)]
pub struct GrpcWeb(Arc<Rules>);

#[derive(Clone, Debug)]
struct Rules {
    /// Allowed origins in the form that browsers send: `https://app.example`.
    origins: Vec<String>,
    any: bool,
    credentials: bool,
    max_age: Duration,
    idle_max: Duration,
}

impl GrpcWeb {
    /// Creates settings that serve pages of the server's own origin.
    pub fn new() -> Self {
        Self(Arc::new(Rules {
            origins: Vec::new(),
            any: false,
            credentials: false,
            max_age: MAX_AGE,
            idle_max: IDLE_MAX,
        }))
    }

    fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.0)
    }

    /// Allows calls by pages of this origin: scheme, host, and port if it is not the default of the
    /// scheme, such as `https://app.example` or `http://localhost:8080`. The server does not start
    /// with an origin that no browser could send.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        let mut origin = origin.into();
        origin.make_ascii_lowercase();
        self.rules().origins.push(origin);
        self
    }

    /// Allows calls by pages of all origins.
    pub fn allow_any_origin(mut self) -> Self {
        self.rules().any = true;
        self
    }

    /// Allows browsers to send cookies and client certificates, and pages to read the responses.
    /// Applies only to origins that are allowed by name, because otherwise any page could act for
    /// its visitor.
    pub fn allow_credentials(mut self) -> Self {
        self.rules().credentials = true;
        self
    }

    /// Sets the time for which browsers may cache a preflight response; 2 hours by default.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.rules().max_age = age;
        self
    }

    /// Sets the longest time that an HTTP/1.1 connection may stay open without a request; 5 minutes
    /// by default.
    pub fn idle_time_max(mut self, bound: Duration) -> Self {
        self.rules().idle_max = bound;
        self
    }

    pub(crate) fn idle_max(&self) -> Duration {
        self.0.idle_max
    }

    /// Checks that browsers could send every allowed origin.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0.origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(Error::Origin(origin.clone())),
            None => Ok(()),
        }
    }
}

impl Default for GrpcWeb {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns true if a text is an origin as browsers write it (RFC 6454 §6.2): no path, no default
/// port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let lawful = |byte: u8| byte.is_ascii_graphic() && !b"/?#@*,\"\\".contains(&byte);
    let has_default_port = !port.is_empty() && host.ends_with(port);
    !scheme.is_empty() && !host.is_empty() && !has_default_port && host.bytes().all(lawful)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        let check = |origin: &str| GrpcWeb::new().allow_origin(origin).check().is_ok();
        for good in [
            "https://app.example",
            "HTTPS://App.Example",
            "http://localhost:8080",
            "http://[::1]:8080",
            "chrome-extension://abcdef",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "app.example",
            "https://",
            "://app.example",
            "https://app.example/",
            "https://app.example:443",
            "http://app.example:80",
            "https://*.example",
            "https://a.example, https://b.example",
        ] {
            let error = GrpcWeb::new().allow_origin(bad).check().unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
