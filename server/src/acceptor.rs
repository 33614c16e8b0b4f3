//! What accepted sockets become: a gRPC connection, behind TLS or not.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::{PeerIdentity, TlsPeer, UnixPeer};
use corespun_runtime::{Accept, Flow, Input, Peer, Protocol, SocketHandle, turn_time};
use corespun_tls::Handshake;

use crate::builtin::channelz::fresh_id;
use crate::config::Config;
use crate::connection::Connection;
use crate::limit_stats::LimitCounts;
use crate::routes::Routes;
use crate::tally::{Ends, Tallies};

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
    /// Where connections are counted, on a server that can be asked about them.
    tallies: Option<Rc<Tallies>>,
}

impl Acceptor {
    pub(crate) fn new(
        routes: Routes,
        config: Config,
        doors: Vec<Door>,
        limit_counts: Arc<LimitCounts>,
    ) -> Self {
        let service = Rc::new(Served {
            routes: Rc::new(routes),
            config,
            limit_counts,
            tallies: None,
        });
        Self { service, doors }
    }

    /// Counts connections from now on.
    pub(crate) fn count_in(&mut self, tallies: Rc<Tallies>) {
        if let Some(service) = Rc::get_mut(&mut self.service) {
            service.tallies = Some(tallies);
        }
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
            name: peer
                .address
                .as_ref()
                .map(|address| Rc::from(address.to_string())),
            ends: self.service.tallies.is_some().then_some(Ends {
                local: peer.local,
                remote: peer.address,
                identity: None,
            }),
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
    /// Both addresses, where connections are counted.
    ends: Option<Ends>,
    unix: Option<UnixPeer>,
    socket: SocketHandle,
}

impl Caller {
    fn connection(&self, service: &Served, tls: Option<TlsPeer>) -> Connection {
        let routes = Rc::clone(&service.routes);
        let name = self.name.clone();
        let now = turn_time();
        let mut connection = Connection::new(routes, &service.config, name, self.socket, now)
            .counting_in(Arc::clone(&service.limit_counts));
        let identity = PeerIdentity {
            tls,
            unix: self.unix,
        };
        let identity = match identity {
            PeerIdentity {
                tls: None,
                unix: None,
            } => None,
            identity => Some(Rc::new(identity)),
        };
        if let (Some(tallies), Some(ends)) = (&service.tallies, &self.ends) {
            let mut ends = ends.clone();
            ends.identity.clone_from(&identity);
            connection = connection.counted(tallies.add(fresh_id(), ends, now));
        }
        match identity {
            None => connection,
            Some(identity) => connection.with_identity(identity),
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
