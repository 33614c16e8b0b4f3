//! The two ends of TLS behind one face, so that the protocol is written once.

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

    /// Looks at the records in `incoming` up to the next thing that asks for an action.
    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What is known of the connection.
    fn state(&self) -> &CommonState;

    /// The name that the client asked for (SNI, RFC 6066), on the server's side.
    fn server_name(&self) -> Option<&str>;

    /// The first bytes of a record of this version can be no others.
    fn may_begin_with(first: u8) -> bool;
}

/// The types of the records that can come first (RFC 8446, section 5.1).
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

/// Answers every client with the same certificate, and remembers the name that one asked for:
/// an unbuffered connection of rustls does not tell it. One per connection.
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
            // Asked twice after a retry request (RFC 8446, section 4.1.4); the name is the same.
            let _ = self.name.set(name.into());
        }
        Some(Arc::clone(&self.key))
    }
}
