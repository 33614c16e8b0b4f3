//! What accepted sockets become: a gRPC connection, behind TLS or not.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::{PeerIdentity, TlsPeer, UnixPeer};
use corespun_http2::{Limit, LimitHits};
use corespun_runtime::{Accept, Flow, Input, Peer, Protocol, SocketHandle, turn_time};
use corespun_tls::Handshake;

use crate::builtin::channelz::fresh_id;
use crate::config::Config;
use crate::connection::Connection;
use crate::cut_off::CutCounts;
use crate::http1::{Front, Http1, Spoken};
use crate::lifetime::{Lifetime, Lifetimes};
use crate::limit_stats::LimitCounts;
use crate::occupancy::{Occupancy, Place};
use crate::routes::Routes;
use crate::tally::{Ends, Tallies};
use crate::valve::Valve;

/// The name of HTTP/1.1 where protocols are agreed on (RFC 7301 §6).
pub(crate) const HTTP1: &[u8] = b"http/1.1";

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
    /// By listener: a trusted proxy is on the other side.
    proxies: Vec<bool>,
    lifetimes: Lifetimes,
    occupancy: Arc<Occupancy>,
}

/// What all connections of a shard share.
struct Served {
    routes: Rc<Routes>,
    config: Config,
    /// `config` for a trusted proxy.
    proxy_config: Config,
    limit_counts: Arc<LimitCounts>,
    cut_counts: CutCounts,
    valve: Rc<Valve>,
    /// Where connections are counted, on a server that can be asked about them.
    tallies: Option<Rc<Tallies>>,
}

/// What the acceptors of all shards share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) occupancy: Arc<Occupancy>,
    pub(crate) cut_counts: CutCounts,
}

impl Acceptor {
    pub(crate) fn new(
        routes: Routes,
        config: Config,
        doors: Vec<Door>,
        limit_counts: Arc<LimitCounts>,
        shared: Shared,
        valve: Rc<Valve>,
    ) -> Self {
        let lifetimes = Lifetimes::new(config.lifetime.clone());
        let service = Rc::new(Served {
            routes: Rc::new(routes),
            proxy_config: config.clone().behind_proxy(),
            config,
            limit_counts,
            cut_counts: shared.cut_counts,
            valve,
            tallies: None,
        });
        Self {
            service,
            doors,
            proxies: Vec::new(),
            lifetimes,
            occupancy: shared.occupancy,
        }
    }

    /// Takes the peers of these listeners for trusted proxies, or not.
    pub(crate) fn trust(&mut self, proxies: Vec<bool>) {
        self.proxies = proxies;
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
        let Some(place) = self.occupancy.enter() else {
            return self.refuse(&peer);
        };
        let unix = peer.credentials.map(|found| UnixPeer {
            pid: found.pid,
            uid: found.uid,
            gid: found.gid,
        });
        let is_proxy = self.proxies.get(peer.listener) == Some(&true);
        let mut lifetime = self.lifetimes.draw();
        if is_proxy {
            let proxy = &self.service.proxy_config.lifetime;
            lifetime.keepalive_min_time = proxy.keepalive_min_time;
        }
        let caller = Caller {
            is_proxy,
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
            lifetime,
            place,
        };
        match self.doors.get(peer.listener) {
            Some(Door::Tls(tls)) => secured(tls, Rc::clone(&self.service), caller),
            Some(Door::Plain) | None => caller.plain(&self.service),
        }
    }
}

impl Acceptor {
    /// Closes a connection that there is no place for.
    fn refuse(&self, peer: &Peer) -> Box<dyn Protocol> {
        tracing::debug!(?peer, "no more connections are taken");
        let mut hits = LimitHits::NONE;
        hits.add(Limit::Connections, 1);
        self.service.limit_counts.add(&hits);
        Box::new(Closed)
    }
}

/// Who came, on which socket, and for how long.
struct Caller {
    is_proxy: bool,
    name: Option<Rc<str>>,
    /// Both addresses, where connections are counted.
    ends: Option<Ends>,
    unix: Option<UnixPeer>,
    socket: SocketHandle,
    lifetime: Lifetime,
    place: Place,
}

impl Caller {
    /// What runs on a socket without TLS: HTTP/2, or what the first bytes say if browsers come.
    fn plain(self, service: &Rc<Served>) -> Box<dyn Protocol> {
        if service.config.grpc_web.is_none() {
            return Box::new(self.into_connection(service, None));
        }
        let service = Rc::clone(service);
        let patience = service.config.http2.preface_time_max;
        let open = move |spoken, now| -> Box<dyn Protocol> {
            match spoken {
                Spoken::Http2 => Box::new(self.into_connection(&service, None)),
                Spoken::Http1 => Box::new(self.into_http1(&service, None, now)),
            }
        };
        Box::new(Front::new(turn_time(), patience, Box::new(open)))
    }

    /// A connection of HTTP/1.1.
    fn into_http1(self, service: &Served, tls: Option<TlsPeer>, now: Duration) -> Http1 {
        let config = &service.config;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let web = config.grpc_web.clone().unwrap_or_default();
        let socket = self.socket;
        let inner = self.into_connection(service, tls);
        Http1::new(inner, scheme, &config.http2, web.idle_max(), socket, now)
    }

    fn into_connection(self, service: &Served, tls: Option<TlsPeer>) -> Connection {
        let (routes, now) = (Rc::clone(&service.routes), turn_time());
        let config = match self.is_proxy {
            true => &service.proxy_config,
            false => &service.config,
        };
        let mut connection = Connection::new(routes, config, self.name, self.socket, now)
            .counting_in(Arc::clone(&service.limit_counts))
            .behind(Rc::clone(&service.valve))
            .belonging(service.cut_counts.clone(), self.place);
        connection.live(&self.lifetime, now);
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
    // Asked for once only, but the compiler does not know that.
    let mut caller = Some(caller);
    let inside = move |handshake: Handshake| -> Box<dyn Protocol> {
        let is_http1 = handshake.alpn == HTTP1;
        let peer = TlsPeer {
            certificates: handshake.certificates,
            names: handshake.names,
            server_name: handshake.server_name,
            version: handshake.version,
            cipher: handshake.cipher,
        };
        let Some(caller) = caller.take() else {
            return Box::new(Closed);
        };
        if is_http1 {
            Box::new(caller.into_http1(&service, Some(peer), turn_time()))
        } else {
            Box::new(caller.into_connection(&service, Some(peer)))
        }
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
