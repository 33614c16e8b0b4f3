//! Where a channel leads: the text that the user gives, as an address and as an `:authority`.

use std::rc::Rc;

use corespun_codec::Status;
use corespun_runtime::{Address, spawn_blocking};

/// A target that was read but not resolved: names are, anew at each attempt to connect.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: Rc<str>,
    authority: Rc<str>,
}

impl Target {
    /// Reads `host:port`, `http://host:port` or `unix:/path`.
    ///
    /// # Errors
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
            });
        }
        let host = match text.split_once("://") {
            None => text,
            Some(("http", rest)) => rest.strip_suffix('/').unwrap_or(rest),
            Some(("https", _)) => return refused("TLS is not supported"),
            Some(_) => return refused("the scheme is not http"),
        };
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) {
            return refused("expected host:port, http://host:port or unix:/path");
        }
        Ok(Self {
            address: host.into(),
            authority: host.into(),
        })
    }

    /// A target that cannot be connected to, only named.
    pub(crate) fn named(authority: &str) -> Self {
        Self {
            address: authority.into(),
            authority: authority.into(),
        }
    }

    /// The address as text.
    pub(crate) fn text(&self) -> &Rc<str> {
        &self.address
    }

    /// The `:authority` of requests.
    pub(crate) fn authority(&self) -> &Rc<str> {
        &self.authority
    }

    /// The address to connect to.
    ///
    /// # Errors
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
        for (text, address, authority) in [
            ("127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051"),
            ("localhost:1", "localhost:1", "localhost:1"),
            ("http://[::1]:80", "[::1]:80", "[::1]:80"),
            ("http://host:8080/", "host:8080", "host:8080"),
            ("unix:/run/x.sock", "unix:/run/x.sock", "localhost"),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(
                (&**target.text(), &**target.authority()),
                (address, authority)
            );
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
            "https://host:1",
            "ftp://host:1",
        ] {
            let status = Target::parse(text).expect_err(text);
            assert!(status.message().contains(&format!("{text:?}")), "{status}");
        }
    }
}
