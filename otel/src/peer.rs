//! Address of a peer, split into the attributes of a span.

/// Parts of `127.0.0.1:5000`, `[::1]:5000` or `unix:/path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer<'a> {
    /// `tcp` or `unix`.
    pub(crate) transport: &'static str,
    /// Address without brackets and port.
    pub(crate) address: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Peer<'a> {
    /// Parses an address or a channel's target, with or without a scheme.
    pub(crate) fn parse(text: &'a str) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self {
                transport: "unix",
                address: path,
                port: None,
            };
        }
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (address, port) = match text.rsplit_once(':') {
            Some((address, port)) if port.parse::<u16>().is_ok() => (address, port.parse().ok()),
            _ => (text, None),
        };
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Self {
            transport: "tcp",
            address: bare.unwrap_or(address),
            port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_targets() {
        let check = |text: &str, transport: &'static str, address: &str, port: Option<u16>| {
            let expected = Peer {
                transport,
                address,
                port,
            };
            assert_eq!(Peer::parse(text), expected, "of {text:?}");
        };
        check("127.0.0.1:5000", "tcp", "127.0.0.1", Some(5000));
        check("[::1]:0", "tcp", "::1", Some(0));
        check(
            "https://users.example:443",
            "tcp",
            "users.example",
            Some(443),
        );
        check("users.example", "tcp", "users.example", None);
        check("unix:/run/users.sock", "unix", "/run/users.sock", None);
        check("", "tcp", "", None);
    }
}
