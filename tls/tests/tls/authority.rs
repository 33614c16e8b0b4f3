//! Certificate authority of the tests.

use std::path::PathBuf;

use corespun_tls::Roots;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

/// Authority that issues certificates which only the tests trust.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Certificate and its private key, as PEM text.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Returns the authority's own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn roots(&self) -> Roots {
        Roots::from_pem(self.pem())
    }

    /// Issues a certificate for these names: hosts, or URIs if they look like one.
    pub fn issue(&self, names: &[&str]) -> Issued {
        let names = names.iter().map(|name| {
            let text = (*name).try_into().expect("ASCII");
            if name.contains("://") {
                SanType::URI(text)
            } else {
                SanType::DnsName(text)
            }
        });
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Issued {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// Temporary folder of a test; removed on drop.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("corespun-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("write");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
