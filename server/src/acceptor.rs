//! What accepted sockets become: a gRPC connection, behind TLS or not.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::{PeerIdentity, TlsPeer, UnixPeer};
use corespun_runtime::{Accept, Flow, Input, Peer, Protocol, SocketHandle, turn_time};
use corespun_tls::Handshake;

use crate::config::Config;
use crate::connection::Connection;
use crate::limit_stats::LimitCounts;
use crate::routes::Routes;
use crate::valve::Valve;

/// How one listener is served.
#[derive(Clone)]
pub(crate) enum Door {
    Plain,
    Tls(corespun_tls::Acceptor),
}

/// Gives each socket of a shard its protocol.
pub(crate) struct Acceptor {
    service: Rc<Served>,
    /// By listener.
    doors: Vec<Door>,
}

/// What all connections of a shard share.
struct Served {
    routes: Rc<Routes>,
    config: Config,
    limit_counts: Arc<LimitCounts>,
    valve: Rc<Valve>,
}

impl Acceptor {
    pub(crate) fn new(
        routes: Routes,
        config: Config,
        doors: Vec<Door>,
        limit_counts: Arc<LimitCounts>,
        valve: Rc<Valve>,
    ) -> Self {
        let service = Rc::new(Served {
            routes: Rc::new(routes),
            config,
            limit_counts,
            valve,
        });
        Self { service, doors }
    }
}

impl Accept for Acceptor {
    fn accept(&mut self, peer: Peer, socket: SocketHandle) -> Box<dyn Protocol> {
        let unix = peer.credentials.map(|found| UnixPeer {
            pid: found.pid,
            uid: found.uid,
            gid: found.gid,
        });
        let caller = Caller {
            name: peer.address.map(|address| Rc::from(address.to_string())),
            unix,
            socket,
        };
        match self.doors.get(peer.listener) {
            Some(Door::Tls(tls)) => secured(tls, Rc::clone(&self.service), caller),
            Some(Door::Plain) | None => Box::new(caller.connection(&self.service, None)),
        }
    }
}

/// Who came, and on which socket.
struct Caller {
    name: Option<Rc<str>>,
    unix: Option<UnixPeer>,
    socket: SocketHandle,
}

impl Caller {
    fn connection(&self, service: &Served, tls: Option<TlsPeer>) -> Connection {
        let routes = Rc::clone(&service.routes);
        let name = self.name.clone();
        let connection = Connection::new(routes, &service.config, name, self.socket, turn_time())
            .counting_in(Arc::clone(&service.limit_counts))
            .behind(Rc::clone(&service.valve));
        let identity = PeerIdentity {
            tls,
            unix: self.unix,
        };
        match identity {
            PeerIdentity {
                tls: None,
                unix: None,
            } => connection,
            identity => connection.with_identity(Rc::new(identity)),
        }
    }
}

fn secured(tls: &corespun_tls::Acceptor, service: Rc<Served>, caller: Caller) -> Box<dyn Protocol> {
    let name = caller.name.clone().unwrap_or_else(|| "a Unix peer".into());
    let inside = move |handshake: Handshake| -> Box<dyn Protocol> {
        let peer = TlsPeer {
            certificates: handshake.certificates,
            names: handshake.names,
            server_name: handshake.server_name,
            version: handshake.version,
            cipher: handshake.cipher,
        };
        Box::new(caller.connection(&service, Some(peer)))
    };
    match tls.accept(name, turn_time(), Box::new(inside)) {
        Ok(protocol) => protocol,
        Err(error) => {
            tracing::error!(%error, "failed to begin a TLS handshake");
            Box::new(Closed)
        }
    }
}

/// Closes a socket that nothing can run on.
struct Closed;

impl Protocol for Closed {
    fn receive(&mut self, _now: Duration, _input: Input<'_>) {}

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, _out: &mut Vec<u8>) -> Flow {
        Flow::Close
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}
