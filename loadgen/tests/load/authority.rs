//! Certificate authority for tests.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use crate::scratch;

/// Authority that issues untrusted certificates; its files are removed on drop.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: &'static str,
}

/// Certificate and private key as PEM files.
pub struct Issued {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Drop for Issued {
    fn drop(&mut self) {
        for file in [&self.cert, &self.key] {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Authority {
    pub fn new(name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        let authority = Self {
            issuer: issuer.unwrap(),
            name,
        };
        std::fs::write(authority.file(), authority.issuer.pem()).unwrap();
        authority
    }

    /// Returns the file of the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        scratch(&format!("{}-ca.pem", self.name))
    }

    /// Issues a certificate for this host, and for 127.0.0.1.
    pub fn issue(&self, host: &str) -> Issued {
        let names = vec![
            SanType::DnsName(host.try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let issued = Issued {
            cert: scratch(&format!("{}-{host}.pem", self.name)),
            key: scratch(&format!("{}-{host}.key", self.name)),
        };
        std::fs::write(&issued.cert, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        issued
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.file());
    }
}
