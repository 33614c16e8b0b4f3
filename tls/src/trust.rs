//! Certificate authorities that a client trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

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
    /// Returns the certificates in a PEM file: of authorities, or of servers. A server that
    /// presents one of them byte for byte is trusted for the names in it, whoever issued it, and
    /// even if it says that it is an authority's, as those of `openssl req -x509` do.
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
        let mut named = Vec::new();
        let roots = match &self.0 {
            Source::Pem(text) => {
                let content = text.read()?;
                named = text.certificates(&content)?;
                pem::roots(text, &content)?
            }
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
        if named.is_empty() {
            return Ok(verifier);
        }
        Ok(Arc::new(Named { named, verifier }))
    }
}

/// Verifier that also accepts certificates which the configuration names byte for byte.
#[derive(Debug)]
struct Named {
    named: Vec<CertificateDer<'static>>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now);
        let Err(error) = verified else {
            return verified;
        };
        if !lacks_only_an_issuer(&error) || !self.named.contains(certificate) {
            return Err(error);
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Returns whether a certificate was refused for who issued it, or for being an authority's. Both
/// are found after its dates have been checked.
fn lacks_only_an_issuer(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(error) = error else {
        return false;
    };
    match error {
        CertificateError::UnknownIssuer => true,
        CertificateError::Other(OtherError(cause)) => matches!(
            cause.downcast_ref::<webpki::Error>(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
    };
    use rustls::crypto::ring;

    use super::*;

    fn params(is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        params
    }

    fn self_signed(is_ca: IsCa) -> (CertificateDer<'static>, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params(is_ca).self_signed(&key).unwrap();
        (certificate.der().clone(), certificate.pem())
    }

    fn in_year(year: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600 + 86_400))
    }

    #[test]
    fn a_certificate_that_is_named_is_trusted_for_its_names_and_dates() {
        const AUTHORITY: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut named = params(AUTHORITY);
        named
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(named, KeyPair::generate().unwrap());
        let authority = authority.unwrap();
        let key = KeyPair::generate().unwrap();
        let issued = params(IsCa::NoCa).signed_by(&key, &authority).unwrap();
        let issued = (issued.der().clone(), issued.pem());
        let (own, plain) = (self_signed(AUTHORITY), self_signed(IsCa::ExplicitNoCa));
        let other = self_signed(AUTHORITY);
        let cases = [
            (&own, &own, "localhost", 2030, true),
            (&plain, &plain, "localhost", 2030, true),
            (&issued, &issued, "localhost", 2030, true),
            (&own, &own, "else.example", 2030, false),
            (&issued, &issued, "else.example", 2030, false),
            (&own, &own, "localhost", 2041, false),
            (&issued, &issued, "localhost", 2019, false),
            (&other, &own, "localhost", 2030, false),
            (&own, &issued, "localhost", 2030, false),
        ];
        let provider = Arc::new(ring::default_provider());
        for (number, (named, shown, name, year, trusted)) in cases.into_iter().enumerate() {
            let verifier = Roots::from_pem(&named.1).verifier(&provider).unwrap();
            let name = ServerName::try_from(name).unwrap();
            let verified = verifier.verify_server_cert(&shown.0, &[], &name, &[], in_year(year));
            assert_eq!(verified.is_ok(), trusted, "case {number}: {verified:?}");
        }
    }
}
