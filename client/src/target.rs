//! Target of a channel: parses the user's text into an address and an `:authority`.

use std::rc::Rc;

use corespun_codec::Status;
use corespun_runtime::{Address, spawn_blocking};

/// Parsed target. Names are resolved at each attempt to connect.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: Rc<str>,
    authority: Rc<str>,
    scheme: Option<Scheme>,
}

/// Use of TLS according to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Target {
    /// Parses `host:port`, `http://host:port`, `https://host:port` or `unix:/path`.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT with the text, when it has another form.
    pub(crate) fn parse(text: &str) -> Result<Self, Status> {
        let refused = |why: &str| {
            let text = format!("failed to read target {text:?}: {why}");
            Err(Status::invalid_argument(text))
        };
        if text.starts_with("unix:") {
            // What gRPC clients in other languages send for a socket without a host.
            return Ok(Self {
                address: text.into(),
                authority: "localhost".into(),
                scheme: None,
            });
        }
        let (scheme, host) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return refused("the scheme is neither http nor https"),
        };
        let host = match scheme {
            Some(_) => host.strip_suffix('/').unwrap_or(host),
            None => host,
        };
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) {
            return refused("expected host:port, http(s)://host:port or unix:/path");
        }
        Ok(Self {
            address: host.into(),
            authority: host.into(),
            scheme,
        })
    }

    /// Creates a target that has only a name and cannot be connected to.
    pub(crate) fn named(authority: &str) -> Self {
        Self {
            address: authority.into(),
            authority: authority.into(),
            scheme: None,
        }
    }

    pub(crate) fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// Returns the host that a certificate must be valid for: no port, and no brackets around an
    /// address.
    pub(crate) fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// Returns the address as text.
    pub(crate) fn text(&self) -> &Rc<str> {
        &self.address
    }

    /// Returns the `:authority` of requests.
    pub(crate) fn authority(&self) -> &Rc<str> {
        &self.authority
    }

    /// Returns the address to connect to.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE when the name has no address.
    pub(crate) async fn resolve(&self) -> Result<Address, Status> {
        if let Ok(address) = self.address.parse() {
            return Ok(Address::Tcp(address));
        }
        let text = self.address.to_string();
        let found = match text.starts_with("unix:") {
            true => text.parse::<Address>(),
            // The system's resolver blocks, and the shard has other calls to serve meanwhile.
            false => spawn_blocking(move || text.parse::<Address>()).await,
        };
        found.map_err(|error| Status::unavailable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        for (text, address, authority, host) in [
            (
                "127.0.0.1:50051",
                "127.0.0.1:50051",
                "127.0.0.1:50051",
                "127.0.0.1",
            ),
            ("localhost:1", "localhost:1", "localhost:1", "localhost"),
            ("http://[::1]:80", "[::1]:80", "[::1]:80", "::1"),
            ("http://host:8080/", "host:8080", "host:8080", "host"),
            ("https://host:443/", "host:443", "host:443", "host"),
            (
                "unix:/run/x.sock",
                "unix:/run/x.sock",
                "localhost",
                "localhost",
            ),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(
                (&**target.text(), &**target.authority(), target.host()),
                (address, authority, host)
            );
            let scheme = match text.split_once(':') {
                Some(("http", _)) => Some(Scheme::Http),
                Some(("https", _)) => Some(Scheme::Https),
                _ => None,
            };
            assert_eq!(target.scheme(), scheme, "{text}");
        }
    }

    #[test]
    fn other_forms_are_named() {
        for text in [
            "",
            "host",
            "host:",
            "host:x",
            "host:0",
            "https://host",
            "ftp://host:1",
        ] {
            let status = Target::parse(text).expect_err(text);
            assert!(status.message().contains(&format!("{text:?}")), "{status}");
        }
    }
}
