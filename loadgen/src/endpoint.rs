//! Server under load: addresses, name, and TLS.

mod target;

use std::fmt;
use std::io;
use std::time::Duration;

use corespun_runtime::{Address, Protocol, SocketHandle, turn_time};
use corespun_tls::{Connector, Error, Handshake, Inside};

use crate::error::LoadError;

/// Longest time for opening a connection to the target.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// Server with its addresses, its name, and TLS settings.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Addresses in the order of attempts; at least one.
    addresses: Vec<Address>,
    /// Short form of the target for reports and errors.
    shown: String,
    authority: String,
    tls: Option<Connector>,
    secure: Option<bool>,
}

impl Endpoint {
    /// Parses a target in gRPC's forms: `HOST:PORT`, `dns:///HOST:PORT`, `ipv4:A.B.C.D:PORT`,
    /// `ipv6:[A::B]:PORT`, `unix:/path`, `unix-abstract:NAME`, or a URL. Names are resolved now.
    /// The server name of calls is `authority`, or by default the name in `target`.
    ///
    /// # Errors
    /// The target has none of these forms, or the name cannot be resolved.
    pub fn new(target: &str, authority: Option<&str>) -> Result<Self, LoadError> {
        let target = target::read(target)?;
        let shown = match target.addresses.as_slice() {
            [one] => one.to_string(),
            _ => target.authority.clone(),
        };
        Ok(Self {
            authority: authority.map_or(target.authority, str::to_owned),
            addresses: target.addresses,
            shown,
            tls: None,
            secure: target.secure,
        })
    }

    /// Returns true if the target is an `https` URL, false for `http`; `None` for other targets.
    pub(crate) fn is_secure(&self) -> Option<bool> {
        self.secure
    }

    /// Returns the endpoint with TLS switched on.
    ///
    /// # Errors
    /// The server's name cannot appear in a certificate.
    pub fn over_tls(mut self, connector: Connector) -> Result<Self, LoadError> {
        connector.check_host(self.host()).map_err(LoadError::Tls)?;
        self.tls = Some(connector);
        Ok(self)
    }

    /// Returns the authority without its port.
    fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// Returns the `:authority` of each call.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the `:scheme` of each call.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            None => "http",
            Some(_) => "https",
        }
    }

    /// Connects to the first address that accepts, and runs `protocol` on the socket, inside of TLS
    /// if it is switched on. If TLS fails later, `failed` is called with the reason before the
    /// protocol ends. Only on a shard.
    ///
    /// # Errors
    /// The kernel's error, or a timeout, for every address.
    pub(crate) async fn connect(
        &self,
        protocol: Box<dyn Protocol>,
        failed: impl Fn(String) + 'static,
    ) -> io::Result<SocketHandle> {
        let protocol = match &self.tls {
            None => protocol,
            Some(connector) => {
                let inside = Entrance {
                    protocol: Some(protocol),
                    failed,
                };
                let peer = self.to_string().into();
                connector
                    .connect(self.host(), peer, turn_time(), Box::new(inside))
                    .map_err(io::Error::other)?
            }
        };
        let mut protocol = Some(protocol);
        let mut refusals = Vec::new();
        for address in &self.addresses {
            let make = |_| {
                let protocol = protocol.take();
                protocol.unwrap_or_else(|| unreachable!("only one attempt succeeds"))
            };
            match attempt(address, make).await {
                Ok(socket) => return Ok(socket),
                Err(error) => refusals.push(error),
            }
        }
        Err(self.refused(refusals))
    }

    /// Combines the errors of all addresses into one.
    fn refused(&self, refusals: Vec<io::Error>) -> io::Error {
        let kind = refusals
            .first()
            .map_or(io::ErrorKind::Other, io::Error::kind);
        let texts: Vec<_> = refusals.iter().map(ToString::to_string).collect();
        let text = match texts.as_slice() {
            [only] => only.clone(),
            several => {
                format!(
                    "failed to connect to {}: {}",
                    self.shown,
                    several.join("; ")
                )
            }
        };
        io::Error::new(kind, text)
    }
}

/// Attempts to connect to one address.
async fn attempt(
    address: &Address,
    make: impl FnOnce(SocketHandle) -> Box<dyn Protocol>,
) -> io::Result<SocketHandle> {
    let connecting = corespun_runtime::connect(address, make);
    match corespun_runtime::timeout(OPEN_MAX, connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let seconds = OPEN_MAX.as_secs();
            let text = format!("failed to connect to {address}: no answer within {seconds} s");
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    }
}

/// Wrapper that starts a protocol when the TLS handshake is done.
struct Entrance<F> {
    protocol: Option<Box<dyn Protocol>>,
    failed: F,
}

impl<F: Fn(String)> Inside for Entrance<F> {
    fn open(&mut self, _handshake: Handshake) -> Box<dyn Protocol> {
        let protocol = self.protocol.take();
        protocol.unwrap_or_else(|| unreachable!("TLS opens once"))
    }

    fn fail(&mut self, error: &Error) {
        (self.failed)(format!("TLS: {error}"));
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_authority_without_its_port() {
        let cases = [
            ("127.0.0.1:50051", None, "127.0.0.1"),
            ("[::1]:50051", None, "::1"),
            ("unix:/tmp/s", None, "localhost"),
            ("127.0.0.1:1", Some("users.example:443"), "users.example"),
            ("127.0.0.1:1", Some("users.example"), "users.example"),
        ];
        for (target, authority, host) in cases {
            let endpoint = Endpoint::new(target, authority).unwrap();
            assert_eq!(endpoint.host(), host, "{target}");
            assert_eq!(endpoint.scheme(), "http");
        }
    }
}
