//! Result of a handshake, and the factory of the protocol that runs inside TLS.

use corespun_runtime::Protocol;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::error::Error;
use crate::role::Role;

/// Negotiated parameters of a connection, and the verified identity of the peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Handshake {
    /// Verified certificates of the peer in DER, its own first; empty if it presented none.
    pub certificates: Vec<Vec<u8>>,
    /// Names in the peer's own certificate, verified by its issuer: hosts (`users.example`) and
    /// URIs (`spiffe://example/users`) (RFC 5280, section 4.2.1.6).
    pub names: Vec<String>,
    /// Name that the client requested (SNI); set on the server side only.
    pub server_name: Option<String>,
    /// Negotiated protocol (ALPN), such as `h2`.
    pub alpn: Vec<u8>,
    /// TLS version, such as `TLSv1_3`.
    pub version: &'static str,
    /// Cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// True if the handshake resumed an earlier session.
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

/// Factory of the protocol that runs inside TLS. A closure is enough if failures need not be
/// handled.
pub trait Inside {
    /// Returns the protocol that gets the plain bytes, after the handshake. Called at most once.
    fn open(&mut self, handshake: Handshake) -> Box<dyn Protocol>;

    /// Handles the failure of the connection, before or after [`open`](Self::open). Called at most
    /// once, before the [`End`](corespun_runtime::Input::End) that the protocol gets.
    fn fail(&mut self, _error: &Error) {}

    /// Returns the unencrypted response to a peer whose `first` bytes are not TLS; empty by
    /// default. Called at most once, before [`fail`](Self::fail).
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
