//! Verified identity of the peer: TLS certificates or Unix credentials.

use crate::Request;
use std::rc::Rc;

/// Identity of a peer in addition to its address. Determined once per connection, and shared by its
/// calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Result of the TLS handshake; `None` on a connection without TLS.
    pub tls: Option<TlsPeer>,
    /// Process at the other end of a Unix socket; `None` on TCP.
    pub unix: Option<UnixPeer>,
}

/// TLS data of a connection, as available to a call on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPeer {
    /// Verified certificates of the peer in DER, its own first; empty if it presented none.
    pub certificates: Vec<Vec<u8>>,
    /// Names in the peer's own certificate: hosts (`users.example`) and URIs
    /// (`spiffe://example/users`).
    pub names: Vec<String>,
    /// Server name that the client requested (SNI).
    pub server_name: Option<String>,
    /// TLS version, such as `TLSv1_3`.
    pub version: &'static str,
    /// Cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
}

/// Process at the other end of a Unix socket, as the kernel recorded it when the socket connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixPeer {
    /// Process id. The process may have ended, and its id may belong to another one by now.
    pub pid: i32,
    /// Effective user id of the process.
    pub uid: u32,
    /// Effective group id of the process.
    pub gid: u32,
}

impl<T> Request<T> {
    /// Returns the peer's TLS identity or Unix credentials (server).
    pub fn identity(&self) -> Option<&Rc<PeerIdentity>> {
        self.head()?.identity.as_ref()
    }

    /// Returns the result of the TLS handshake; `None` on a connection without TLS.
    pub fn tls(&self) -> Option<&TlsPeer> {
        self.identity()?.tls.as_ref()
    }

    /// Returns the process at the other end of a Unix socket; `None` on TCP.
    pub fn unix_peer(&self) -> Option<&UnixPeer> {
        self.identity()?.unix.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestHead;

    #[test]
    fn a_request_reaches_it() {
        let unix = UnixPeer {
            pid: 7,
            uid: 8,
            gid: 9,
        };
        let tls = TlsPeer {
            names: vec!["client.test".into()],
            ..TlsPeer::default()
        };
        let identity = PeerIdentity {
            tls: Some(tls.clone()),
            unix: Some(unix),
        };
        let head = RequestHead {
            identity: Some(Rc::new(identity)),
            ..RequestHead::default()
        };
        let request = Request::from_parts((), Rc::new(head), None);
        assert_eq!(
            (request.tls(), request.unix_peer()),
            (Some(&tls), Some(&unix))
        );
        let bare = Request::new(());
        assert_eq!((bare.tls(), bare.unix_peer()), (None, None));
    }
}
