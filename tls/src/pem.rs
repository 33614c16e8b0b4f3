//! Keys and certificates as text (PEM, RFC 7468), from files or given in place.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::error::ConfigError;

/// Where PEM text comes from. A file is read anew at each load.
#[derive(Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    /// Text given in place, and what it was given as.
    Text(&'static str, Arc<[u8]>),
}

impl Pem {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    pub(crate) fn text(role: &'static str, text: &[u8]) -> Self {
        Self::Text(role, text.into())
    }

    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self) -> Result<Arc<[u8]>, ConfigError> {
        match self {
            Self::Text(_, text) => Ok(Arc::clone(text)),
            Self::File(path) => fs::read(path).map(Arc::from).map_err(|source| {
                let path = path.clone();
                ConfigError::Read { path, source }
            }),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(role, _) => format!("the {role}"),
        }
    }

    fn wrong(&self, reason: impl fmt::Display) -> ConfigError {
        ConfigError::Content {
            name: self.name(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn certificates(
        &self,
        text: &[u8],
    ) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        match found {
            Ok(found) if found.is_empty() => Err(self.wrong("it holds no certificate")),
            Ok(found) => Ok(found),
            Err(error) => Err(self.wrong(error)),
        }
    }

    fn private_key(&self, text: &[u8]) -> Result<PrivateKeyDer<'static>, ConfigError> {
        PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
            pem::Error::NoItemsFound => self.wrong("it holds no private key"),
            error => self.wrong(error),
        })
    }
}

/// Says where, never what: the text may be a private key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A certificate chain, the end's own certificate first, and its private key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Pem,
    pub(crate) key: Pem,
}

impl Identity {
    /// Makes of both texts what signs handshakes.
    ///
    /// # Errors
    /// One of them is broken, or they do not belong together.
    pub(crate) fn certify(
        &self,
        chain: &[u8],
        key: &[u8],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, ConfigError> {
        let chain = self.chain.certificates(chain)?;
        let key = self.key.private_key(key)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| self.key.wrong(error))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A kind of key that does not tell its public half is not known to be wrong.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(certified)
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(ConfigError::Mismatch {
                certificate: self.chain.name(),
                key: self.key.name(),
            }),
            Err(error) => Err(self.chain.wrong(error)),
        }
    }
}

/// The certificates of an authority file as roots of trust.
///
/// # Errors
/// The text is broken or holds no certificate, or one is not fit to be a root.
pub(crate) fn roots(pem: &Pem, text: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem.certificates(text)? {
        roots.add(certificate).map_err(|error| pem.wrong(error))?;
    }
    Ok(roots)
}
