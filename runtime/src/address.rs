//! Addresses to listen on or connect to: TCP, or a Unix socket with a path or an abstract name.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// Largest name of an abstract socket in bytes: `sun_path` without its first byte.
const ABSTRACT_BYTES_MAX: usize = 107;

/// Address to listen on or connect to.
///
/// ```
/// use corespun_runtime::Address;
///
/// let tcp: Address = "127.0.0.1:50051".parse().unwrap();
/// assert_eq!(tcp.to_string(), "127.0.0.1:50051");
/// let unix: Address = "unix:/run/users.sock".parse().unwrap();
/// assert_eq!(unix, Address::Unix("/run/users.sock".into()));
/// let hidden: Address = "unix:@users".parse().unwrap();
/// assert_eq!(hidden, Address::Abstract("users".into()));
/// let error = "50051".parse::<Address>().unwrap_err();
/// assert!(error.to_string().contains("\"50051\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4 or IPv6 address with a port; port 0 selects a free port when listening.
    Tcp(SocketAddr),
    /// Path of a Unix stream socket.
    Unix(PathBuf),
    /// Name of a Unix stream socket in the abstract namespace of Linux, which has no file
    /// (unix(7)).
    Abstract(Vec<u8>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses `127.0.0.1:50051`, `[::1]:0`, `unix:/path`, `name:port`, or the name of an abstract
    /// socket in either form that gRPC libraries use: `unix:@name` and `unix-abstract:name`.
    ///
    /// A host name is resolved at once, with the system's blocking resolver. Of several answers the
    /// first of [`Address::resolve`] is used.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut found = Self::resolve(text)?;
        Ok(found.swap_remove(0))
    }
}

impl Address {
    /// Parses the forms of [`Address::from_str`], and returns all addresses of a host name: at
    /// least one, IPv4 first, because more servers listen only there, else in the order of the
    /// system's resolver. Blocks while the name is resolved.
    ///
    /// # Errors
    /// The text is no address, or the name has none.
    pub fn resolve(text: &str) -> Result<Vec<Self>, AddressError> {
        let error = |reason: String| AddressError {
            text: text.to_owned(),
            reason,
        };
        let hidden = text.strip_prefix("unix:@");
        if let Some(name) = hidden.or_else(|| text.strip_prefix("unix-abstract:")) {
            return match name.len() {
                0 => Err(error("the name of the abstract socket is empty".to_owned())),
                1..=ABSTRACT_BYTES_MAX => Ok(vec![Self::Abstract(name.into())]),
                _ => Err(error(format!(
                    "the name of an abstract socket has at most {ABSTRACT_BYTES_MAX} bytes"
                ))),
            };
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(error("the path after unix: is empty".to_owned()));
            }
            return Ok(vec![Self::Unix(PathBuf::from(path))]);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(vec![Self::Tcp(address)]);
        }
        let Some((name, port)) = text.rsplit_once(':') else {
            return Err(error("expected host:port or unix:/path".to_owned()));
        };
        if name.is_empty() || port.parse::<u16>().is_err() {
            return Err(error(format!(
                "expected host:port, found host {name:?} and port {port:?}"
            )));
        }
        let mut found: Vec<SocketAddr> = text
            .to_socket_addrs()
            .map_err(|source| error(format!("cannot resolve {name:?}: {source}")))?
            .collect();
        if found.is_empty() {
            return Err(error(format!("{name:?} has no address")));
        }
        found.sort_by_key(SocketAddr::is_ipv6);
        found.dedup();
        Ok(found.into_iter().map(Self::Tcp).collect())
    }
}

/// Error of a text that is not a valid [`Address`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    reason: String,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read address {:?}: {}", self.text, self.reason)
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "127.0.0.1:0",
            "[::1]:50051",
            "unix:/tmp/a socket",
            "unix:@a",
            "unix:./@a",
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
        let unix: Address = "unix:///tmp/x".parse().expect("URL form");
        assert_eq!(unix.to_string(), "unix:/tmp/x");
        let hidden: Address = "unix-abstract:users".parse().expect("gRPC's own form");
        assert_eq!(hidden.to_string(), "unix:@users");
        let longest = format!("unix:@{}", "n".repeat(107));
        assert!(longest.parse::<Address>().is_ok());
        assert!(format!("{longest}n").parse::<Address>().is_err());
        let local: Address = "localhost:7".parse().expect("localhost resolves");
        assert!(matches!(local, Address::Tcp(a) if a.port() == 7 && a.ip().is_loopback()));
    }

    #[test]
    fn a_name_has_all_its_addresses() {
        let all = Address::resolve("localhost:7").expect("localhost resolves");
        let first: Address = "localhost:7".parse().expect("localhost resolves");
        assert_eq!(all.first(), Some(&first));
        let ipv6 = |a: &Address| matches!(a, Address::Tcp(a) if a.is_ipv6());
        assert!(all.is_sorted_by_key(ipv6), "{all:?}");
        let one = Address::resolve("unix:/tmp/x").expect("a path");
        assert_eq!(one, [Address::Unix("/tmp/x".into())]);
    }

    #[test]
    fn errors_name_the_value() {
        for text in [
            "",
            "unix:",
            "unix:@",
            "unix-abstract:",
            "50051",
            ":1",
            "host:",
            "host:99999",
            "[::1]",
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.starts_with("failed to read address"), "{error}");
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
