//! TLS of clients: trusted authorities, the client's own certificate, and the wrapping of sockets.

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_runtime::Protocol;
use rustls::client::{ResolvesClientCert, UnbufferedClientConnection};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::error::ConfigError;
use crate::handshake::Inside;
use crate::pem::{Identity, Pem};
use crate::protocol::{Terms, Tls};
use crate::role::Client;
use crate::server::HANDSHAKE_MAX;
use crate::trust::Roots;

/// TLS 1.2 and 1.3 configuration of a client. No file is read before [`load`](Self::load).
#[derive(Clone, Debug)]
pub struct ClientTlsConfig {
    roots: Roots,
    identity: Option<Identity>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    handshake_timeout: Duration,
}

impl ClientTlsConfig {
    /// Creates a configuration that trusts these authorities, presents no certificate, and
    /// negotiates `h2`.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            identity: None,
            server_name: None,
            alpn: vec![b"h2".to_vec()],
            handshake_timeout: HANDSHAKE_MAX,
        }
    }

    /// Presents a certificate chain, the client's own certificate first, and its private key, each
    /// from a PEM file, to servers that request one.
    pub fn identity_files(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (chain, key) = (Pem::file(chain.as_ref()), Pem::file(key.as_ref()));
        self.identity = Some(Identity { chain, key });
        self
    }

    /// Presents a certificate chain and its private key, both as PEM text, to servers that request
    /// one.
    pub fn identity(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let chain = Pem::text("client certificate chain", chain.as_ref());
        let key = Pem::text("client private key", key.as_ref());
        self.identity = Some(Identity { chain, key });
        self
    }

    /// Sets the name that the server's certificate must be valid for, in place of the host
    /// connected to.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets the protocols to offer (ALPN), in order of preference. Default: `h2` alone. Servers
    /// that choose none are refused. An empty list offers nothing and refuses no server.
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.alpn = protocols.iter().map(|found| found.to_vec()).collect();
        self
    }

    /// Sets the longest time of a handshake. Default: 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Reads keys and certificates.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is invalid, key and certificate do not belong together, or the
    /// server name is not a valid name; the text names the file.
    pub fn load(self) -> Result<Connector, ConfigError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.roots.verifier(&provider)?;
        let identity = match &self.identity {
            None => None,
            Some(identity) => {
                let (chain, key) = (identity.chain.read()?, identity.key.read()?);
                Some(identity.certify(&chain, &key, &provider)?)
            }
        };
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ConfigError::Settings)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(shown(identity)),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(Connector {
            config: Arc::new(config),
            server_name: self.server_name.as_deref().map(name).transpose()?,
            terms: Terms {
                alpn: !self.alpn.is_empty(),
                handshake_timeout: self.handshake_timeout,
            },
        })
    }
}

fn shown(identity: CertifiedKey) -> Arc<dyn ResolvesClientCert> {
    Arc::new(SingleCertAndKey::from(identity))
}

fn name(text: &str) -> Result<ServerName<'static>, ConfigError> {
    ServerName::try_from(text)
        .map(|name| name.to_owned())
        .map_err(|_| ConfigError::ServerName(text.to_owned()))
}

/// Wraps connected sockets in TLS. Cheap to clone, usable on any thread. Clones share the sessions
/// that they can resume.
#[derive(Clone)]
pub struct Connector {
    config: Arc<rustls::ClientConfig>,
    server_name: Option<ServerName<'static>>,
    terms: Terms,
}

impl Connector {
    /// Wraps a connected socket in TLS; `inside` creates the protocol within after the handshake.
    ///
    /// The certificate must be valid for `host`, a name or an IP address without a port, unless
    /// [`server_name`](ClientTlsConfig::server_name) sets another name. `peer` is the name in logs.
    ///
    /// # Errors
    ///
    /// `host` is not a name that a certificate could be valid for.
    pub fn connect(
        &self,
        host: &str,
        peer: Rc<str>,
        now: Duration,
        inside: Box<dyn Inside>,
    ) -> Result<Box<dyn Protocol>, ConfigError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name(host)?,
        };
        let connection = UnbufferedClientConnection::new(Arc::clone(&self.config), name)
            .map_err(ConfigError::Settings)?;
        let role = Client(connection);
        Ok(Box::new(Tls::new(role, self.terms, peer, inside, now)))
    }

    /// Checks that a certificate could be valid for `host`, without a connection.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn check_host(&self, host: &str) -> Result<(), ConfigError> {
        match &self.server_name {
            Some(_) => Ok(()),
            None => name(host).map(drop),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
