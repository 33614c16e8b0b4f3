//! TLS of servers: the certificate, requests for client certificates, and the wrapping of sockets.

mod watch;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use corespun_runtime::Protocol;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{UnbufferedServerConnection, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use crate::error::{ConfigError, Error};
use crate::handshake::Inside;
use crate::pem::{self, Identity, Pem};
use crate::protocol::{Terms, Tls};
use crate::role::{Resolver, Server};

/// Default of the longest time of a handshake.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// TLS 1.2 and 1.3 configuration of a server: its certificate, and the client certificates that it
/// accepts.
///
/// No file is read before [`load`](Self::load). Each [`Acceptor::reload`] reads the files again.
#[derive(Clone)]
pub struct TlsConfig {
    identity: Identity,
    clients: Option<Clients>,
    alpn: Vec<Vec<u8>>,
    handshake_timeout: Duration,
}

/// Client certificates that a server accepts.
#[derive(Clone)]
struct Clients {
    roots: Pem,
    optional: bool,
}

impl TlsConfig {
    fn new(chain: Pem, key: Pem) -> Self {
        Self {
            identity: Identity { chain, key },
            clients: None,
            alpn: vec![b"h2".to_vec()],
            handshake_timeout: HANDSHAKE_MAX,
        }
    }

    /// Creates a configuration with a certificate chain, the server's own certificate first, and
    /// its private key, each in a PEM file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::new(Pem::file(chain.as_ref()), Pem::file(key.as_ref()))
    }

    /// Creates a configuration with a certificate chain and its private key, both as PEM text,
    /// which is never reloaded.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self::new(
            Pem::text("certificate chain", chain.as_ref()),
            Pem::text("private key", key.as_ref()),
        )
    }

    /// Requires a client certificate issued by an authority in this PEM file (mutual TLS).
    pub fn client_ca(self, roots: impl AsRef<Path>) -> Self {
        self.with_clients(Pem::file(roots.as_ref()))
    }

    /// Requires a client certificate issued by an authority in this PEM text (mutual TLS).
    pub fn client_ca_pem(self, roots: impl AsRef<[u8]>) -> Self {
        self.with_clients(Pem::text("client authorities", roots.as_ref()))
    }

    fn with_clients(mut self, roots: Pem) -> Self {
        let optional = false;
        self.clients = Some(Clients { roots, optional });
        self
    }

    /// Accepts clients without a certificate too; a presented one must still be valid. Has no
    /// effect without client authorities, because no certificate is requested then.
    pub fn client_auth_optional(mut self) -> Self {
        if let Some(clients) = &mut self.clients {
            clients.optional = true;
        }
        self
    }

    /// Sets the protocols to negotiate (ALPN, RFC 7301), in order of preference. Default: `h2`
    /// alone. A client that offers none of them is refused. With an empty list nothing is
    /// negotiated and every client is accepted. A server that also serves HTTP/1.1 adds `http/1.1`,
    /// and accepts clients without ALPN.
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
    /// A file cannot be read or is invalid, or key and certificate do not belong together; the text
    /// names the file.
    pub fn load(self) -> Result<Acceptor, ConfigError> {
        let texts = self.read()?;
        let loaded = self.build(&texts, None)?;
        let shared = Shared {
            config: self,
            current: RwLock::new(Arc::new(loaded)),
            told: Mutex::default(),
        };
        Ok(Acceptor {
            shared: Arc::new(shared),
            fallbacks: &[],
        })
    }

    fn read(&self) -> Result<Texts, ConfigError> {
        let roots = self.clients.as_ref().map(|clients| clients.roots.read());
        Ok(Texts {
            chain: self.identity.chain.read()?,
            key: self.identity.key.read()?,
            roots: roots.transpose()?,
        })
    }

    /// Builds the state for new connections from the PEM texts. Tickets of `before` stay valid,
    /// unless they may belong to clients that `before` trusted and these texts do not.
    fn build(&self, texts: &Texts, before: Option<&Loaded>) -> Result<Loaded, ConfigError> {
        let provider = Arc::new(ring::default_provider());
        let key = self
            .identity
            .certify(&texts.chain, &texts.key, &provider)
            .map(Arc::new)?;
        let mut config = self.verifying(texts, &provider)?;
        config.alpn_protocols.clone_from(&self.alpn);
        match before.filter(|before| before.roots == texts.roots) {
            Some(before) => {
                config.ticketer = Arc::clone(&before.config.ticketer);
                config.session_storage = Arc::clone(&before.config.session_storage);
            }
            None => config.ticketer = ring::Ticketer::new().map_err(ConfigError::Settings)?,
        }
        Ok(Loaded {
            key,
            config,
            roots: texts.roots.clone(),
            print: texts.print(),
        })
    }

    fn verifying(
        &self,
        texts: &Texts,
        provider: &Arc<CryptoProvider>,
    ) -> Result<rustls::ServerConfig, ConfigError> {
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .map_err(ConfigError::Settings)?;
        let builder = match self.clients.as_ref().zip(texts.roots.as_ref()) {
            None => builder.with_no_client_auth(),
            Some((clients, text)) => {
                let roots = Arc::new(pem::roots(&clients.roots, text)?);
                let provider = Arc::clone(provider);
                let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                if clients.optional {
                    verifier = verifier.allow_unauthenticated();
                }
                let verifier = verifier.build().map_err(|error| {
                    ConfigError::Settings(rustls::Error::General(error.to_string()))
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        // Each connection gets a resolver of its own in place of this one.
        Ok(builder.with_cert_resolver(Arc::new(NoCertificate)))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("chain", &self.identity.chain)
            .field("key", &self.identity.key)
            .finish_non_exhaustive()
    }
}

/// Certificate resolver that is used by no connection.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// PEM texts as read: chain, key, client authorities.
#[derive(Hash)]
struct Texts {
    chain: Arc<[u8]>,
    key: Arc<[u8]>,
    roots: Option<Arc<[u8]>>,
}

impl Texts {
    /// Returns a fingerprint of the texts, so that a change is detected without a copy of the
    /// private key.
    fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// State for new connections.
struct Loaded {
    key: Arc<CertifiedKey>,
    /// Configuration without the certificate.
    config: rustls::ServerConfig,
    roots: Option<Arc<[u8]>>,
    /// Fingerprint of the texts.
    print: u64,
}

struct Shared {
    config: TlsConfig,
    current: RwLock<Arc<Loaded>>,
    /// Fault that was logged last, while it persists.
    told: Mutex<Option<String>>,
}

/// Wraps accepted sockets in TLS. Cheap to clone. All shards share the certificate and the keys of
/// session tickets, so that a client can resume on any of them.
#[derive(Clone)]
pub struct Acceptor {
    shared: Arc<Shared>,
    /// Protocols to negotiate if the client offers none of the configured ones.
    fallbacks: &'static [&'static [u8]],
}

impl Acceptor {
    /// Adds protocols after those of [`TlsConfig::alpn`], in order of preference, and accepts
    /// clients without ALPN (RFC 7301). The [`Handshake::alpn`](crate::Handshake::alpn) of such a
    /// client is empty, and its first bytes must identify its protocol. Has no effect if nothing is
    /// negotiated.
    pub fn with_fallbacks(mut self, protocols: &'static [&'static [u8]]) -> Self {
        self.fallbacks = protocols;
        self
    }

    /// Wraps an accepted socket in TLS; `inside` creates the protocol within, `peer` is the name in
    /// logs.
    ///
    /// # Errors
    ///
    /// The TLS library rejects the settings; never the fault of the peer.
    pub fn accept(
        &self,
        peer: Rc<str>,
        now: Duration,
        inside: Box<dyn Inside>,
    ) -> Result<Box<dyn Protocol>, Error> {
        let loaded = self.current();
        let asked = Arc::new(Resolver::new(Arc::clone(&loaded.key)));
        let mut config = loaded.config.clone();
        config.cert_resolver = asked.clone();
        let offered = &mut config.alpn_protocols;
        let is_negotiated = !offered.is_empty();
        for fallback in self.fallbacks.iter().filter(|_| is_negotiated) {
            if !offered.iter().any(|known| known == fallback) {
                offered.push(fallback.to_vec());
            }
        }
        let role = Server {
            connection: UnbufferedServerConnection::new(Arc::new(config))?,
            asked,
        };
        let terms = Terms {
            alpn: is_negotiated && self.fallbacks.is_empty(),
            handshake_timeout: self.shared.config.handshake_timeout,
        };
        Ok(Box::new(Tls::new(role, terms, peer, inside, now)))
    }

    /// Reads the files again, and uses their content for new connections; open connections are not
    /// affected. Returns true if anything had changed.
    ///
    /// # Errors
    ///
    /// As [`TlsConfig::load`]; the previous content stays in use.
    pub fn reload(&self) -> Result<bool, ConfigError> {
        let texts = self.shared.config.read()?;
        let before = self.current();
        if before.print == texts.print() {
            return Ok(false);
        }
        let loaded = self
            .shared
            .config
            .build(&texts, Some(&before))
            .map(Arc::new)?;
        let current = self.shared.current.write();
        *current.unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(true)
    }

    fn current(&self) -> Arc<Loaded> {
        let current = self.shared.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acceptor")
            .field(&self.shared.config)
            .finish()
    }
}
