//! Certificate authorities that a client trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::ConfigError;
use crate::pem::{self, Pem};

/// Certificate authorities trusted for the names of servers.
#[derive(Clone, Debug)]
pub struct Roots(Source);

#[derive(Clone, Debug)]
enum Source {
    Pem(Pem),
    Mozilla,
    System,
    Anybody,
}

impl Roots {
    /// Returns the authorities in a PEM file.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Self {
        Self(Source::Pem(Pem::file(path.as_ref())))
    }

    /// Returns the authorities in PEM text.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Self {
        Self(Source::Pem(Pem::text("authorities", text.as_ref())))
    }

    /// Returns the authorities that Mozilla trusted when this program was built.
    pub fn mozilla() -> Self {
        Self(Source::Mozilla)
    }

    /// Returns the authorities that this machine trusts: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or the
    /// system's default.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Accepts any certificate for any name, if the peer has its private key. The identity of the
    /// server is then unknown: only for measuring and debugging.
    pub fn danger_anybody() -> Self {
        Self(Source::Anybody)
    }

    pub(crate) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
        let roots = match &self.0 {
            Source::Pem(text) => pem::roots(text, &text.read()?)?,
            Source::Mozilla => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            Source::System => system()?,
            Source::Anybody => {
                return Ok(Arc::new(Anybody(
                    provider.signature_verification_algorithms,
                )));
            }
        };
        let provider = Arc::clone(provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier
            .build()
            .map_err(|error| ConfigError::Settings(rustls::Error::General(error.to_string())))?;
        Ok(verifier)
    }
}

/// Reads the authorities of the system. Some of them may be unusable, if others are not.
fn system() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    Err(ConfigError::Content {
        name: "the system's authorities".to_owned(),
        reason: format!("none is usable ({})", reasons.join("; ")),
    })
}

/// Verifier that accepts any certificate; see [`Roots::danger_anybody`].
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
