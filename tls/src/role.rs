//! Common interface to both roles of TLS, so that the protocol is implemented once.

use std::sync::{Arc, OnceLock};

use rustls::CommonState;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{
    ClientHello, ResolvesServerCert, ServerConnectionData, UnbufferedServerConnection,
};
use rustls::sign::CertifiedKey;
use rustls::unbuffered::UnbufferedStatus;

/// One end of a connection, without I/O and without buffers of its own.
pub(crate) trait Role: 'static {
    type Data;

    /// Processes the records in `incoming` up to the next one that needs an action.
    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// Returns the state of the connection.
    fn state(&self) -> &CommonState;

    /// Returns the name that the client requested (SNI, RFC 6066), on the server side.
    fn server_name(&self) -> Option<&str>;

    /// Returns true if a record of this TLS version can begin with this byte.
    fn may_begin_with(first: u8) -> bool;
}

/// Types of the records that can come first (RFC 8446, section 5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

pub(crate) struct Client(pub(crate) UnbufferedClientConnection);

impl Role for Client {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.0.process_tls_records(incoming)
    }

    fn state(&self) -> &CommonState {
        &self.0
    }

    fn server_name(&self) -> Option<&str> {
        None
    }

    fn may_begin_with(first: u8) -> bool {
        matches!(first, ALERT | HANDSHAKE)
    }
}

pub(crate) struct Server {
    pub(crate) connection: UnbufferedServerConnection,
    pub(crate) asked: Arc<Resolver>,
}

impl Role for Server {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.connection.process_tls_records(incoming)
    }

    fn state(&self) -> &CommonState {
        &self.connection
    }

    fn server_name(&self) -> Option<&str> {
        self.asked.name.get().map(|name| &**name)
    }

    fn may_begin_with(first: u8) -> bool {
        first == HANDSHAKE
    }
}

/// Certificate resolver of one connection. It answers every client with the same certificate, and
/// records the requested name, which an unbuffered connection of rustls does not expose.
#[derive(Debug)]
pub(crate) struct Resolver {
    key: Arc<CertifiedKey>,
    name: OnceLock<Box<str>>,
}

impl Resolver {
    pub(crate) fn new(key: Arc<CertifiedKey>) -> Self {
        let name = OnceLock::new();
        Self { key, name }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(name) = hello.server_name() {
            // Called twice after a retry request (RFC 8446, section 4.1.4); the name is equal.
            let _ = self.name.set(name.into());
        }
        Some(Arc::clone(&self.key))
    }
}
