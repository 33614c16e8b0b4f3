//! Where the server is, and how one gets there.

use std::fmt;
use std::io;
use std::time::Duration;

use corespun_runtime::{Address, Protocol, SocketHandle, turn_time};
use corespun_tls::{Connector, Error, Handshake, Inside};

use crate::error::LoadError;

/// How long the target may take to accept a connection.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// A server, as an address and a name, and how to make sure that it is the one.
#[derive(Clone, Debug)]
pub struct Endpoint {
    address: Address,
    authority: String,
    tls: Option<Connector>,
}

impl Endpoint {
    /// Reads `HOST:PORT` or `unix:/path`; a name is resolved now. Calls name the server
    /// `authority`, or what `target` says if that is not given.
    ///
    /// # Errors
    /// When it is no address, or the name is not known.
    pub fn new(target: &str, authority: Option<&str>) -> Result<Self, LoadError> {
        let address: Address = target.parse().map_err(LoadError::Target)?;
        let authority = match (authority, &address) {
            (Some(authority), _) => authority,
            (None, Address::Tcp(_)) => target,
            (None, Address::Unix(_) | Address::Abstract(_)) => "localhost",
        };
        Ok(Self {
            authority: authority.to_owned(),
            address,
            tls: None,
        })
    }

    /// The same, to be spoken to over TLS.
    ///
    /// # Errors
    /// When no certificate could be for the server's name.
    pub fn over_tls(mut self, connector: Connector) -> Result<Self, LoadError> {
        connector.check_host(self.host()).map_err(LoadError::Tls)?;
        self.tls = Some(connector);
        Ok(self)
    }

    /// The authority without its port.
    fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// The `:authority` of each call.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The `:scheme` of each call.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            None => "http",
            Some(_) => "https",
        }
    }

    /// Connects, and runs `protocol` on the socket, inside of TLS if that is asked for. Should TLS
    /// fail later, `failed` hears why before the protocol ends. Only on a shard.
    ///
    /// # Errors
    /// The kernel's, or that it took too long; with the address in the text.
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
        let connecting = corespun_runtime::connect(&self.address, |_| protocol);
        match corespun_runtime::timeout(OPEN_MAX, connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let seconds = OPEN_MAX.as_secs();
                let text = format!("failed to connect to {self}: no answer within {seconds} s");
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
}

/// Lets a protocol in when the handshake is done.
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
        self.address.fmt(f)
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
