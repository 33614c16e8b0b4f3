//! Limits behind TLS: a peer that exceeds them gets the reason, is counted and disconnected; others
//! are unaffected.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corespun_client::ClientTlsConfig;
use corespun_http2::Limit;
use corespun_runtime::{Address, Flow, Input, Protocol, connect, sleep, timeout};
use corespun_server::Config;
use corespun_tls::{Error, Handshake, Inside};

use crate::engines::on_each_engine;
use crate::world::{HOST, World, ask, channel, mirror};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
/// End of a GOAWAY with ENHANCE_YOUR_CALM, and the reason.
const CALM: &[u8] = b"\0\0\0\x0bglitch_budget: 5 frames of no use without streams and data";

/// Peer that sends all of its bytes at once, and records the response.
#[derive(Clone)]
struct Peer {
    says: Vec<u8>,
    heard: Rc<RefCell<Vec<u8>>>,
    ended: Rc<Cell<bool>>,
}

impl Peer {
    fn new(says: Vec<u8>) -> Self {
        Self {
            says,
            heard: Rc::default(),
            ended: Rc::default(),
        }
    }

    async fn run(&self, address: &Address, tls: ClientTlsConfig) {
        let tls = tls.load().expect("a connector");
        let peer = self.clone();
        let connected = connect(address, move |_socket| {
            let inside = Box::new(peer);
            let now = corespun_runtime::now();
            tls.connect(HOST, "server".into(), now, inside)
                .expect("a host")
        });
        connected.await.expect("a connection");
        let end = async {
            while !self.ended.get() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        let ended = timeout(Duration::from_secs(20), end).await;
        ended.expect("the server ends it");
    }
}

impl Inside for Peer {
    fn open(&mut self, _handshake: Handshake) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn fail(&mut self, _error: &Error) {
        self.ended.set(true);
    }
}

impl Protocol for Peer {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.heard.borrow_mut().extend_from_slice(bytes),
            Input::End => self.ended.set(true),
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.says);
        match self.ended.get() {
            true => Flow::Close,
            false => Flow::Open,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn limits_and_their_counts_hold() {
    on_each_engine(async |engine| {
        let world = World::new("limits");
        let mut config = Config::default();
        config.http2.glitch_budget = 5;
        // Otherwise PINGs are strikes.
        config.lifetime.keepalive_min_time = Duration::ZERO;
        config.http2.preface_time_max = Duration::from_millis(300);
        let server = mirror(engine)
            .tls(world.tls())
            .listen("127.0.0.1:0")
            .config(config);
        let server = server.start().expect("a server");
        let address = &server.addresses()[0];
        let good = channel(&address.to_string(), world.client());
        assert!(ask(&good).await.is_ok());
        let flood = Peer::new([PREFACE, &PING.repeat(6)].concat());
        flood.run(address, world.client()).await;
        assert!(flood.heard.borrow().ends_with(CALM), "{:?}", flood.heard);
        let silent = Peer::new(Vec::new());
        silent.run(address, world.client()).await;
        assert!(ask(&good).await.is_ok(), "others live on");
        let total = server.limit_stats().total();
        let counted = [Limit::Glitches, Limit::PrefaceTime].map(|limit| total.of(limit));
        assert_eq!(counted, [1, 1]);
        drop(good);
        server.stop().expect("a clean end");
    });
}
