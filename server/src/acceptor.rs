//! Protocols of accepted sockets: HTTP/2, or HTTP/1.1 on listeners that offer it, with or without
//! TLS.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::{PeerIdentity, TlsPeer, UnixPeer};
use corespun_http2::{Limit, LimitHits};
use corespun_runtime::{Accept, Flow, Input, Peer, Protocol, SocketHandle, turn_time};
use corespun_tls::{Handshake, Inside};

use crate::builtin::channelz::fresh_id;
use crate::config::Config;
use crate::connection::Connection;
use crate::cut_off::CutCounts;
use crate::http1::{Front, Guest, Http1, Stranger, answer_plaintext};
use crate::lifetime::{Lifetime, Lifetimes};
use crate::limit_stats::LimitCounts;
use crate::occupancy::{Occupancy, Place};
use crate::routes::Routes;
use crate::tally::{Ends, Tallies};
use crate::valve::Valve;

/// ALPN names offered in addition to HTTP/2 (RFC 7301 §6), in order of preference. A client that
/// supports only HTTP/1.0 offers `http/1.0` alone.
const HTTP1: &[&[u8]] = &[b"http/1.1", b"http/1.0"];

/// Kind of one listener: plaintext or TLS.
#[derive(Clone)]
pub(crate) enum Door {
    Plain,
    Tls(corespun_tls::Acceptor),
}

/// Creates the protocol of each socket that a shard accepts.
pub(crate) struct Acceptor {
    service: Rc<Served>,
    /// Kind of each listener, by listener index.
    doors: Vec<Door>,
    /// True for each listener, by index, whose peers are trusted proxies.
    proxies: Vec<bool>,
    lifetimes: Lifetimes,
    occupancy: Arc<Occupancy>,
}

/// State shared by all connections of a shard.
struct Served {
    routes: Rc<Routes>,
    config: Config,
    /// Variant of `config` for connections from a trusted proxy.
    proxy_config: Config,
    limit_counts: Arc<LimitCounts>,
    cut_counts: CutCounts,
    valve: Rc<Valve>,
    /// Connection counters of the shard, if the server offers channelz.
    tallies: Option<Rc<Tallies>>,
    /// True if HTTP/1.1 is served: for plain requests, probes or gRPC-Web.
    has_http1: bool,
}

/// State shared by the acceptors of all shards.
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
        let has_http1 = config.grpc_web.is_some() || routes.plain_handler().is_some();
        let doors = doors.into_iter().map(|door| match door {
            Door::Tls(tls) if has_http1 => Door::Tls(tls.with_fallbacks(HTTP1)),
            door => door,
        });
        let service = Rc::new(Served {
            routes: Rc::new(routes),
            proxy_config: config.clone().behind_proxy(),
            config,
            limit_counts,
            cut_counts: shared.cut_counts,
            valve,
            tallies: None,
            has_http1,
        });
        Self {
            service,
            doors: doors.collect(),
            proxies: Vec::new(),
            lifetimes,
            occupancy: shared.occupancy,
        }
    }

    /// Sets, by listener, whether its peers are trusted proxies.
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
            service: Rc::clone(&self.service),
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
            tls: None,
            socket,
            lifetime,
            place,
        };
        match self.doors.get(peer.listener) {
            Some(Door::Tls(tls)) => secured(tls, caller),
            Some(Door::Plain) | None => caller.detected(),
        }
    }
}

impl Acceptor {
    /// Closes a connection that exceeds the maximum number of connections.
    fn refuse(&self, peer: &Peer) -> Box<dyn Protocol> {
        tracing::debug!(?peer, "closed a connection beyond the maximum number");
        let mut hits = LimitHits::NONE;
        hits.add(Limit::Connections, 1);
        self.service.limit_counts.add(&hits);
        Box::new(Closed)
    }
}

/// Peer of an accepted socket and the settings of its connection.
struct Caller {
    is_proxy: bool,
    service: Rc<Served>,
    name: Option<Rc<str>>,
    /// Addresses of both ends, if connections are counted.
    ends: Option<Ends>,
    unix: Option<UnixPeer>,
    tls: Option<TlsPeer>,
    socket: SocketHandle,
    lifetime: Lifetime,
    place: Place,
}

impl Caller {
    /// Returns the protocol of a client that negotiated none: HTTP/2, or detection from the first
    /// bytes if HTTP/1.1 is served too.
    fn detected(self) -> Box<dyn Protocol> {
        let now = turn_time();
        if !self.service.has_http1 {
            return Box::new(self.http2(now));
        }
        let patience = self.service.config.http2.preface_time_max;
        Box::new(Front::new(now, patience, self))
    }

    fn name(&self) -> Rc<str> {
        let name = self.name.clone();
        name.unwrap_or_else(|| "a Unix peer".into())
    }
}

impl Guest for Caller {
    type Http1 = Http1;
    type Http2 = Connection;

    fn http1(self, now: Duration) -> Http1 {
        let service = Rc::clone(&self.service);
        let config = &service.config;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let web = config.grpc_web.clone().unwrap_or_default();
        let socket = self.socket;
        let inner = self.http2(now);
        Http1::new(inner, scheme, &config.http2, web.idle_max(), socket, now)
    }

    fn http2(self, now: Duration) -> Connection {
        let service = self.service;
        let routes = Rc::clone(&service.routes);
        let config = match self.is_proxy {
            true => &service.proxy_config,
            false => &service.config,
        };
        let mut connection = Connection::new(routes, config, self.name, self.socket, now)
            .counting_in(Arc::clone(&service.limit_counts))
            .behind(Rc::clone(&service.valve))
            .belonging(service.cut_counts.clone(), self.place);
        // Admission control measures the length of turns, and bounds the time of all calls by
        // itself.
        if service.config.admission.is_none() {
            connection = connection.sharing_time();
        }
        connection.live(&self.lifetime, now);
        let identity = match (self.tls, self.unix) {
            (None, None) => None,
            (tls, unix) => Some(Rc::new(PeerIdentity { tls, unix })),
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

    fn turn_away(self, why: Stranger) {
        let peer = self.name();
        match why {
            Stranger::Silent => {
                let bound = self.service.config.http2.preface_time_max;
                tracing::debug!(peer = &*peer, "no first byte came within {bound:?}");
                let mut hits = LimitHits::NONE;
                hits.add(Limit::PrefaceTime, 1);
                self.service.limit_counts.add(&hits);
            }
            Stranger::Tls => {
                tracing::debug!(peer = &*peer, "a TLS client came to a port without TLS");
            }
        }
    }
}

/// Wraps a caller in TLS.
fn secured(tls: &corespun_tls::Acceptor, caller: Caller) -> Box<dyn Protocol> {
    let name = caller.name();
    match tls.accept(name, turn_time(), Box::new(Secured(Some(caller)))) {
        Ok(protocol) => protocol,
        Err(error) => {
            tracing::error!(%error, "failed to begin a TLS handshake");
            Box::new(Closed)
        }
    }
}

/// Client whose TLS handshake is in progress; taken when the handshake completes.
struct Secured(Option<Caller>);

impl Inside for Secured {
    fn open(&mut self, handshake: Handshake) -> Box<dyn Protocol> {
        let Some(mut caller) = self.0.take() else {
            return Box::new(Closed);
        };
        caller.tls = Some(TlsPeer {
            certificates: handshake.certificates,
            names: handshake.names,
            server_name: handshake.server_name,
            version: handshake.version,
            cipher: handshake.cipher,
        });
        match &*handshake.alpn {
            b"" => caller.detected(),
            alpn if HTTP1.contains(&alpn) => Box::new(caller.http1(turn_time())),
            _ => Box::new(caller.http2(turn_time())),
        }
    }

    fn answer_plaintext(&mut self, first: &[u8]) -> Vec<u8> {
        answer_plaintext(first)
    }
}

/// Protocol that closes its socket at once.
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
