//! The server's side: what to show and whom to ask for a certificate, and sockets wrapped with it.

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

/// How long a handshake may take unless set otherwise.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How a server speaks TLS 1.2 and 1.3: its certificate, and whose certificates it asks for.
///
/// Nothing is read before [`load`](Self::load), and files are read again by each
/// [`Acceptor::reload`].
#[derive(Clone)]
pub struct TlsConfig {
    identity: Identity,
    clients: Option<Clients>,
    alpn: Vec<Vec<u8>>,
    handshake_timeout: Duration,
}

/// Whose certificates a server accepts.
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

    /// A certificate chain, the server's own first, and its private key, each in a PEM file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::new(Pem::file(chain.as_ref()), Pem::file(key.as_ref()))
    }

    /// The same as PEM text. There is nothing to reload then.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self::new(
            Pem::text("certificate chain", chain.as_ref()),
            Pem::text("private key", key.as_ref()),
        )
    }

    /// Asks clients for a certificate by an authority in this PEM file, and refuses those without
    /// one (mutual TLS).
    pub fn client_ca(self, roots: impl AsRef<Path>) -> Self {
        self.with_clients(Pem::file(roots.as_ref()))
    }

    /// The same as PEM text.
    pub fn client_ca_pem(self, roots: impl AsRef<[u8]>) -> Self {
        self.with_clients(Pem::text("client authorities", roots.as_ref()))
    }

    fn with_clients(mut self, roots: Pem) -> Self {
        let optional = false;
        self.clients = Some(Clients { roots, optional });
        self
    }

    /// Lets clients without a certificate in all the same; one that is shown still has to hold.
    /// Without client authorities no certificate is asked for, and this changes nothing.
    pub fn client_auth_optional(mut self) -> Self {
        if let Some(clients) = &mut self.clients {
            clients.optional = true;
        }
        self
    }

    /// Protocols to agree on, the best first (ALPN, RFC 7301). Default: `h2` alone. A client that
    /// agrees to none is refused; with an empty list nothing is negotiated and every client is let
    /// in. A server that answers HTTP/1.1 adds `http/1.1`, and lets clients without ALPN in.
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
    /// A file cannot be read or is broken, or key and certificate do not belong together; the text
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

    /// Makes of the texts what connections are served with. Tickets of `before` stay good, unless
    /// they may speak for clients that `before` trusted and these texts do not.
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

/// The certificate of no connection.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// What was read: chain, key, client authorities.
#[derive(Hash)]
struct Texts {
    chain: Arc<[u8]>,
    key: Arc<[u8]>,
    roots: Option<Arc<[u8]>>,
}

impl Texts {
    /// Tells these texts from others, without keeping a private key for it.
    fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// What new connections are served with.
struct Loaded {
    key: Arc<CertifiedKey>,
    /// All but the certificate.
    config: rustls::ServerConfig,
    roots: Option<Arc<[u8]>>,
    /// The fingerprint of the texts.
    print: u64,
}

struct Shared {
    config: TlsConfig,
    current: RwLock<Arc<Loaded>>,
    /// The fault that was logged last, if it lasts.
    told: Mutex<Option<String>>,
}

/// Wraps accepted sockets. Cheap to clone; all shards share the certificate and the keys of
/// session tickets, so that a client may resume on any of them.
#[derive(Clone)]
pub struct Acceptor {
    shared: Arc<Shared>,
    /// Protocols that are agreed on where the client has none of the others.
    fallbacks: &'static [&'static [u8]],
}

impl Acceptor {
    /// Adds protocols behind those of [`TlsConfig::alpn`], the best first, and lets clients in that
    /// take no part in the choice (RFC 7301): their [`Handshake::alpn`](crate::Handshake::alpn) is
    /// empty, and their first bytes have to tell. Without effect where nothing is negotiated.
    pub fn with_fallbacks(mut self, protocols: &'static [&'static [u8]]) -> Self {
        self.fallbacks = protocols;
        self
    }

    /// Wraps an accepted socket in TLS; `inside` makes the protocol within, `peer` is its name in
    /// logs.
    ///
    /// # Errors
    /// The library refuses the settings, whatever the peer does.
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

    /// Reads the files again, and serves new connections with what they hold; those that are open
    /// stay as they are. Answers whether anything had changed.
    ///
    /// # Errors
    /// As [`TlsConfig::load`]; what was served before goes on being served.
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
