//! Keys and certificates in PEM (RFC 7468), from files or as text.

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

/// Source of PEM text. A file is read again at each load.
#[derive(Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    /// Text, and a description of it.
    Text(&'static str, Arc<[u8]>),
}

impl Pem {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    pub(crate) fn text(role: &'static str, text: &[u8]) -> Self {
        Self::Text(role, text.into())
    }

    /// Returns the PEM text.
    ///
    /// # Errors
    ///
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

/// Shows the source and never the content, which may be a private key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Certificate chain, the own certificate first, and its private key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Pem,
    pub(crate) key: Pem,
}

impl Identity {
    /// Creates the key that signs handshakes from the texts of chain and key.
    ///
    /// # Errors
    ///
    /// One of them is invalid, or they do not belong together.
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
            // A key type without an accessible public half cannot be compared, so it is accepted.
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

/// Returns the certificates of an authority file as trust anchors.
///
/// # Errors
///
/// The text is invalid or holds no certificate, or a certificate is not usable as a trust anchor.
pub(crate) fn roots(pem: &Pem, text: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem.certificates(text)? {
        roots.add(certificate).map_err(|error| pem.wrong(error))?;
    }
    Ok(roots)
}
