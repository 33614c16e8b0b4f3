//! What a handshake settles, and what it leads to.

use corespun_runtime::Protocol;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::error::Error;
use crate::role::Role;

/// What both ends have agreed on, and who the peer has proved to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Handshake {
    /// The peer's certificates in DER, its own first; checked, and empty when it showed none.
    pub certificates: Vec<Vec<u8>>,
    /// The names in the peer's own certificate: hosts (`users.example`) and URIs
    /// (`spiffe://example/users`), as its authority vouches for them (RFC 5280, section 4.2.1.6).
    pub names: Vec<String>,
    /// The name that the client asked for (SNI), on the server's side.
    pub server_name: Option<String>,
    /// The protocol agreed on (ALPN), such as `h2`.
    pub alpn: Vec<u8>,
    /// The version, such as `TLSv1_3`.
    pub version: &'static str,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The handshake was cut short with what both ends remembered of an earlier one.
    pub resumed: bool,
}

impl Handshake {
    pub(crate) fn of(role: &impl Role) -> Self {
        let state = role.state();
        let certificates = state.peer_certificates().unwrap_or_default();
        let version = state.protocol_version().and_then(|found| found.as_str());
        let suite = state.negotiated_cipher_suite();
        let cipher = suite.and_then(|found| found.suite().as_str());
        Self {
            names: certificates.first().map(names).unwrap_or_default(),
            certificates: certificates.iter().map(|found| found.to_vec()).collect(),
            server_name: role.server_name().map(str::to_owned),
            alpn: state.alpn_protocol().unwrap_or_default().to_vec(),
            version: version.unwrap_or_default(),
            cipher: cipher.unwrap_or_default(),
            resumed: state.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let hosts = certificate.valid_dns_names();
    let all = hosts.chain(certificate.valid_uri_names());
    all.map(str::to_owned).collect()
}

/// What runs inside TLS. A closure will do where a failure need not be known.
pub trait Inside {
    /// The handshake is done: answers the protocol that gets the plain bytes. Called at most once.
    fn open(&mut self, handshake: Handshake) -> Box<dyn Protocol>;

    /// The connection failed, before or after [`open`](Self::open). Called at most once, ahead of
    /// the [`End`](corespun_runtime::Input::End) that the protocol gets.
    fn fail(&mut self, _error: &Error) {}

    /// Returns the answer, unencrypted, to a peer whose `first` bytes are not TLS; empty by
    /// default. Called at most once, ahead of [`fail`](Self::fail).
    fn answer_plaintext(&mut self, _first: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

impl<F> Inside for F
where
    F: FnMut(Handshake) -> Box<dyn Protocol>,
{
    fn open(&mut self, handshake: Handshake) -> Box<dyn Protocol> {
        self(handshake)
    }
}
