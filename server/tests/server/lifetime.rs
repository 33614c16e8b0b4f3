//! Ends of connections by age, idleness, silence and drains; hours of test time pass at once.

use std::cell::Cell;
use std::io::Read;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_http2::{Config as Http2Config, Limit, StreamKey};
use corespun_runtime::{Address, Engine, Flow, Input, Protocol, block_on, yield_now};
use corespun_server::{Config, Lifetime, Routes, Server, Service};

use crate::support::Pair;

const HOUR: Duration = Duration::from_secs(3600);
const INSTANT: Duration = Duration::from_nanos(1);

const SAY: Method<String, String> = Method::new("/test.Life/Say", Kind::Unary);
const HANG: Method<String, String> = Method::new("/test.Life/Hang", Kind::Unary);
const WATCH: Method<String, String> = Method::new("/test.Life/Watch", Kind::ServerStreaming);
const GATHER: Method<String, String> = Method::new("/test.Life/Gather", Kind::ClientStreaming);

#[derive(Default)]
struct Life {
    /// Number of calls that were notified of a drain.
    told: Rc<Cell<usize>>,
}

/// Streams until the connection drains.
async fn watch(
    life: Rc<Life>,
    request: Request<String>,
    mut out: Sender<String>,
) -> Result<(), Status> {
    let draining = request.draining();
    assert!(!draining.has_begun());
    out.send("first".to_owned()).await?;
    draining.clone().await;
    assert!(draining.has_begun());
    life.told.set(life.told.get() + 1);
    out.send("last".to_owned()).await
}

async fn gather(life: Rc<Life>, parts: Streaming<String>) -> Result<Response<String>, Status> {
    parts.draining().await;
    life.told.set(life.told.get() + 1);
    Ok(Response::new("as far as I came".to_owned()))
}

impl Service for Life {
    const NAME: &'static str = "test.Life";

    fn register(self, routes: &mut Routes) {
        let life = Rc::new(self);
        routes.unary(SAY, &life, |_, request: Request<String>| async move {
            Ok(Response::new(request.into_inner()))
        });
        routes.unary(HANG, &life, |_, _: Request<String>| std::future::pending());
        routes.server_streaming(WATCH, &life, watch);
        routes.client_streaming(GATHER, &life, gather);
    }
}

fn with(lifetime: Lifetime, test: impl AsyncFnOnce(&mut Pair, Rc<Cell<usize>>)) {
    block_on(async {
        let life = Life::default();
        let told = Rc::clone(&life.told);
        let mut routes = Routes::new();
        routes.add(life);
        let config = Config {
            lifetime,
            ..Config::default()
        };
        test(&mut Pair::with(routes, config, Http2Config::client()), told).await;
    })
    .unwrap();
}

/// Returns a lifetime without limits.
fn unbounded() -> Lifetime {
    Lifetime {
        keepalive_time: Duration::MAX,
        ..Lifetime::default()
    }
}

/// Advances the server's time by `span`; returns its output, which the client reads.
fn wait(pair: &mut Pair, span: Duration) -> Vec<u8> {
    pair.turn += span;
    pair.server.advance(pair.turn);
    let mut wire = Vec::new();
    pair.flow = pair.server.transmit(&mut wire);
    pair.absorb(&wire);
    wire
}

async fn turns(pair: &mut Pair) {
    for _ in 0..5 {
        pair.exchange();
        yield_now().await;
    }
}

fn start(pair: &mut Pair, method: Method<String, String>) -> StreamKey {
    let stream = pair.open(method.path(), &[], false);
    pair.send(stream, &"text".to_owned(), true);
    pair.exchange();
    stream
}

fn has(wire: &[u8], what: &[u8]) -> bool {
    wire.windows(what.len()).any(|window| window == what)
}

const GOAWAY_AND_PING: [u8; 2] = [7, 6];

/// Returns the types of the frames in `wire`.
fn kinds(mut wire: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some((head, rest)) = wire.split_at_checked(9) {
        kinds.push(head[3]);
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        wire = &rest[len..];
    }
    kinds
}

fn code(pair: &Pair, stream: StreamKey) -> Option<Code> {
    let answer = pair.answers.get(&stream.id)?;
    answer.ended.then(|| answer.status().code())
}

#[test]
fn an_old_connection_drains_and_its_calls_have_their_grace() {
    let lifetime = Lifetime {
        max_connection_age: HOUR,
        max_connection_age_grace: Duration::from_secs(60),
        ..unbounded()
    };
    with(lifetime, async |pair, told| {
        let calls = [WATCH, GATHER, HANG].map(|method| start(pair, method));
        turns(pair).await;
        assert!(wait(pair, HOUR - INSTANT).is_empty());
        let wire = wait(pair, INSTANT);
        assert_eq!(kinds(&wire), GOAWAY_AND_PING);
        assert!(has(&wire, b"\x7f\xff\xff\xff\0\0\0\0max_age"));
        assert_eq!(told.get(), 0, "handlers have had no turn yet");
        // The PING's return brings the second GOAWAY, from which on the grace counts.
        turns(pair).await;
        assert!(!pair.client.can_open());
        assert_eq!(told.get(), 2);
        let codes = calls.map(|stream| code(pair, stream));
        assert_eq!(codes, [Some(Code::Ok), Some(Code::Ok), None]);
        assert!(wait(pair, Duration::from_secs(59)).is_empty());
        wait(pair, Duration::from_secs(1));
        let answer = &pair.answers[&calls[2].id];
        assert_eq!(answer.status().code(), Code::Unavailable, "{answer:?}");
        assert_eq!(pair.flow, Flow::Close);
        assert_eq!(pair.server.deadline(), None);
    });
}

#[test]
fn an_old_connection_without_calls_is_closed_at_once() {
    let lifetime = Lifetime {
        max_connection_age: HOUR,
        ..unbounded()
    };
    with(lifetime, async |pair, _| {
        let stream = start(pair, SAY);
        assert_eq!(code(pair, stream), Some(Code::Ok));
        wait(pair, HOUR);
        pair.exchange();
        assert_eq!(pair.flow, Flow::Close);
    });
}

#[test]
fn who_does_not_answer_the_ping_has_five_seconds() {
    let lifetime = Lifetime {
        max_connection_age: HOUR,
        max_connection_age_grace: Duration::ZERO,
        ..unbounded()
    };
    with(lifetime, async |pair, _| {
        let stream = start(pair, HANG);
        wait(pair, HOUR);
        assert!(wait(pair, Duration::from_secs(5) - INSTANT).is_empty());
        wait(pair, INSTANT);
        wait(pair, INSTANT);
        assert_eq!(code(pair, stream), Some(Code::Unavailable));
        assert_eq!(pair.flow, Flow::Close);
    });
}

#[test]
fn a_connection_without_calls_drains() {
    let lifetime = Lifetime {
        max_connection_idle: HOUR,
        ..unbounded()
    };
    with(lifetime, async |pair, _| {
        // A call now and then, shorter than the interval of the checks, and one that lasts long.
        for _ in 0..6 {
            start(pair, SAY);
            assert!(wait(pair, HOUR / 2).is_empty());
        }
        let lasting = start(pair, HANG);
        for _ in 0..40 {
            assert!(wait(pair, HOUR / 4).is_empty());
        }
        pair.client
            .reset(lasting, corespun_http2::ErrorCode::CANCEL);
        pair.exchange();
        for quarter in 1..=5 {
            let wire = wait(pair, HOUR / 4);
            assert_eq!(wire.is_empty(), quarter < 5, "{quarter}");
            assert_eq!(has(&wire, b"max_idle"), quarter == 5);
        }
        pair.exchange();
        assert_eq!(pair.flow, Flow::Close);
    });
}

#[test]
fn a_silent_caller_is_asked_and_then_given_up() {
    with(Lifetime::default(), async |pair, _| {
        let hang = start(pair, HANG);
        assert!(wait(pair, 2 * HOUR - INSTANT).is_empty());
        assert_eq!(kinds(&wait(pair, INSTANT)), [6], "PING");
        pair.exchange();
        assert!(
            wait(pair, Duration::from_secs(20)).is_empty(),
            "it is there"
        );
        assert_eq!(kinds(&wait(pair, 2 * HOUR)), [6]);
        assert!(wait(pair, Duration::from_secs(20) - INSTANT).is_empty());
        let last = wait(pair, INSTANT);
        assert_eq!((kinds(&last), pair.flow), (vec![7], Flow::Close));
        assert_eq!(code(pair, hang), None, "nobody to tell");
    });
}

/// Sends PINGs in a row after calls of one kind; returns their number when the server has had too
/// many.
fn pings(lifetime: Lifetime, method: Method<String, String>, pause: Duration) -> Option<usize> {
    let mut suffered = None;
    with(lifetime, async |pair, _| {
        start(pair, method);
        for count in 0..10 {
            pair.turn += pause;
            pair.client.ping(7);
            let mut wire = Vec::new();
            pair.client.transmit(&mut wire);
            pair.server.receive(pair.turn, Input::Bytes(&wire));
            let said = wait(pair, Duration::ZERO);
            if pair.flow == Flow::Close {
                assert!(has(&said, b"\0\0\0\x0btoo_many_pings"));
                suffered = Some(count);
                return;
            }
            assert_eq!(kinds(&said), [6]);
        }
    });
    suffered
}

#[test]
fn callers_that_ask_too_often_are_told_so() {
    let minutes = |count: u32| Duration::from_secs(60) * count;
    let permitting = Lifetime {
        permit_without_stream: true,
        ..unbounded()
    };
    let none = Lifetime {
        keepalive_min_time: Duration::ZERO,
        ..unbounded()
    };
    // The first PING after a reply is always free.
    for (lifetime, method, pause, expected) in [
        (unbounded(), SAY, minutes(0), Some(3)),
        (unbounded(), SAY, minutes(119), Some(3)),
        (unbounded(), SAY, minutes(120), None),
        (unbounded(), HANG, minutes(4), Some(3)),
        (unbounded(), HANG, minutes(5), None),
        (permitting, SAY, minutes(5), None),
        (none, SAY, minutes(0), None),
    ] {
        let suffered = pings(lifetime.clone(), method, pause);
        assert_eq!(suffered, expected, "{lifetime:?} {pause:?}");
    }
}

#[test]
fn a_drain_tells_calls_and_its_end_cuts_them() {
    with(unbounded(), async |pair, told| {
        let calls = [WATCH, GATHER, HANG].map(|method| start(pair, method));
        turns(pair).await;
        pair.server.drain(pair.turn);
        turns(pair).await;
        assert_eq!((told.get(), pair.flow), (2, Flow::Open));
        assert_eq!(code(pair, calls[2]), None);
        pair.server.cut(pair.turn);
        pair.exchange();
        assert_eq!(code(pair, calls[2]), Some(Code::Unavailable));
        assert_eq!(pair.flow, Flow::Close);
    });
}

/// Returns true if the server closes the connection before it sends anything.
fn is_refused(stream: &mut TcpStream) -> bool {
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    let mut byte = [0];
    !matches!(stream.read(&mut byte), Ok(1))
}

#[test]
fn connections_beyond_the_most_are_closed_and_counted() {
    for (engine, usable) in Engine::candidates() {
        if let Err(error) = usable {
            println!("SKIPPED {engine}: {error}");
            continue;
        }
        let server = Server::builder().listen("127.0.0.1:0").engine(engine);
        let server = server.shards(2).max_connections(2).start();
        let server = server.expect("started");
        let Address::Tcp(address) = server.addresses()[0] else {
            panic!("not TCP")
        };
        let connect = || TcpStream::connect(address).expect("a connection");
        let mut places = [connect(), connect()];
        assert!(!places.iter_mut().any(is_refused));
        for _ in 0..5 {
            assert!(is_refused(&mut connect()));
        }
        let refused = server.limit_stats().total().of(Limit::Connections);
        assert_eq!(refused, 5);
        drop(places);
        let began = Instant::now();
        while is_refused(&mut connect()) {
            assert!(began.elapsed() < Duration::from_secs(20), "no place again");
        }
        server.stop().expect("a clean end");
    }
}
