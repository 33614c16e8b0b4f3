//! Where the server is, and how one gets there.

use std::fmt;
use std::io;
use std::time::Duration;

use corespun_runtime::{Address, Protocol, SocketHandle};

use crate::error::LoadError;

/// How long the target may take to accept a connection.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(5);

/// A server, as an address and a name.
#[derive(Clone, Debug)]
pub struct Endpoint {
    address: Address,
    authority: String,
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
            (None, Address::Unix(_)) => "localhost",
        };
        Ok(Self {
            authority: authority.to_owned(),
            address,
        })
    }

    /// The `:authority` of each call.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The `:scheme` of each call.
    pub fn scheme(&self) -> &'static str {
        "http"
    }

    /// Connects, and runs `protocol` on the socket. Only on a shard.
    ///
    /// # Errors
    /// The kernel's, or that it took too long; with the address in the text.
    pub(crate) async fn connect(&self, protocol: Box<dyn Protocol>) -> io::Result<SocketHandle> {
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
