//! Who is at the other end of a connection, as far as it had to prove that.

use crate::Request;
use std::rc::Rc;

/// What is known of a peer beyond its address. Settled once per connection, and shared by its
/// calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// What the TLS handshake settled; `None` on a connection without TLS.
    pub tls: Option<TlsPeer>,
    /// Who opened the other end of a Unix socket; `None` on TCP.
    pub unix: Option<UnixPeer>,
}

/// A connection with TLS, seen from a call on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPeer {
    /// The peer's certificates in DER, its own first; checked, and empty when it showed none.
    pub certificates: Vec<Vec<u8>>,
    /// The names in the peer's own certificate: hosts (`users.example`) and URIs
    /// (`spiffe://example/users`).
    pub names: Vec<String>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The version, such as `TLSv1_3`.
    pub version: &'static str,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
}

/// The process at the other end of a Unix socket, as the kernel noted it when that connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixPeer {
    /// The process. By now its number may belong to another one.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl<T> Request<T> {
    /// What is known of the peer beyond its address; on a server.
    pub fn identity(&self) -> Option<&Rc<PeerIdentity>> {
        self.head()?.identity.as_ref()
    }

    /// What the TLS handshake settled; `None` on a connection without TLS.
    pub fn tls(&self) -> Option<&TlsPeer> {
        self.identity()?.tls.as_ref()
    }

    /// The process at the other end of a Unix socket; `None` on TCP.
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
