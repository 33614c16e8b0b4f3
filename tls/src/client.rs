//! The client's side: whom to believe and what to show, and sockets wrapped with it.

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

/// How a client speaks TLS 1.2 and 1.3. Nothing is read before [`load`](Self::load).
#[derive(Clone, Debug)]
pub struct ClientTlsConfig {
    roots: Roots,
    identity: Option<Identity>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    handshake_timeout: Duration,
}

impl ClientTlsConfig {
    /// Believes these authorities, shows no certificate, agrees to `h2`.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            identity: None,
            server_name: None,
            alpn: vec![b"h2".to_vec()],
            handshake_timeout: HANDSHAKE_MAX,
        }
    }

    /// Shows servers that ask for it a certificate chain, the client's own first, with its private
    /// key, each from a PEM file.
    pub fn identity_files(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (chain, key) = (Pem::file(chain.as_ref()), Pem::file(key.as_ref()));
        self.identity = Some(Identity { chain, key });
        self
    }

    /// The same as PEM text.
    pub fn identity(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let chain = Pem::text("client certificate chain", chain.as_ref());
        let key = Pem::text("client private key", key.as_ref());
        self.identity = Some(Identity { chain, key });
        self
    }

    /// The name that the server's certificate must be for, in place of the host connected to.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The protocols to offer, the best first (ALPN). Default: `h2` alone. Servers that choose none
    /// are refused; with an empty list nothing is offered and nobody refused.
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.alpn = protocols.iter().map(|found| found.to_vec()).collect();
        self
    }

    /// How long a handshake may take. Default: 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Reads keys and certificates.
    ///
    /// # Errors
    /// A file cannot be read or is broken, key and certificate do not belong together, or the
    /// server name is none; the text names the file.
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

/// Wraps connected sockets. Cheap to clone, on any thread; its clones share what they remember of
/// servers for resumption.
#[derive(Clone)]
pub struct Connector {
    config: Arc<rustls::ClientConfig>,
    server_name: Option<ServerName<'static>>,
    terms: Terms,
}

impl Connector {
    /// TLS on a connected socket; `inside` is what the handshake leads to. The certificate must be
    /// for `host`, a name or an IP address without a port, unless
    /// [`server_name`](ClientTlsConfig::server_name) says otherwise. `peer` is whom logs name.
    ///
    /// # Errors
    /// `host` is no name that a certificate could be for.
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

    /// Whether `host` can be connected to, without doing so.
    ///
    /// # Errors
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
