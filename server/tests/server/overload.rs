//! Shards with too much load or too little memory: refused calls, their status, and calls that
//! still run. Delays are simulated, so that no test depends on the speed of the machine.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_http2::{Config as Http2Config, StreamKey};
use corespun_runtime::{Protocol, TurnStart, block_on, yield_now};
use corespun_server::{Admission, Config, Routes, Service, Signals, Valve};

use crate::support::Pair;

const SAY: Method<String, String> = Method::new("/test.Busy/Say", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Busy/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Busy/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Busy/Chat", Kind::BidiStreaming);
const CHECK: Method<String, String> = Method::new("/grpc.health.v1.Health/Check", Kind::Unary);

thread_local! {
    /// Simulated moment of the turn.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Simulated delay of received bytes, and of calls for the blocking pool.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Number of calls that reached a handler.
    static HANDLED: Cell<u32> = const { Cell::new(0) };
}

const PLAYED: Signals = Signals {
    turn_start: || {
        let mut start = TurnStart::default();
        (start.waited, start.blocked) = (WAITED.get(), WAITED.get());
        start
    },
    lag: || WAITED.get(),
};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct Busy;

async fn say(request: Request<String>) -> Result<Response<String>, Status> {
    HANDLED.set(HANDLED.get() + 1);
    Ok(Response::new(request.into_inner()))
}

async fn chat(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    HANDLED.set(HANDLED.get() + 1);
    while let Some(text) = requests.message().await? {
        out.send(text).await?;
    }
    Ok(())
}

impl Service for Busy {
    const NAME: &'static str = "test.Busy";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request| say(request));
        routes.unary(CHECK, &service, |_, request| say(request));
        routes.server_streaming(
            LIST,
            &service,
            |_, request: Request<String>, mut out| async move {
                HANDLED.set(HANDLED.get() + 1);
                out.send(request.into_inner()).await
            },
        );
        routes.client_streaming(
            JOIN,
            &service,
            |_, mut requests: Streaming<String>| async move {
                HANDLED.set(HANDLED.get() + 1);
                let first = requests.message().await?;
                Ok(Response::new(first.unwrap_or_default()))
            },
        );
        routes.bidi_streaming(CHAT, &service, |_, requests, out| chat(requests, out));
    }
}

fn routes() -> Routes {
    let mut routes = Routes::new();
    routes.add(Busy);
    routes
}

fn on_shard(test: impl AsyncFnOnce()) {
    block_on(test()).unwrap();
}

fn pair(valve: &Rc<Valve>, config: &Config) -> Pair {
    let mut pair = Pair::behind(valve, routes(), config, Http2Config::client());
    pair.clock = || NOW.get();
    pair
}

/// Creates a pair with admission control of 5 ms for 100 ms.
fn admitting() -> Pair {
    let config = Config {
        admission: Some(Admission::new().target(ms(5))),
        ..Config::default()
    };
    let valve = Valve::with_signals(&config, PLAYED);
    pair(&valve, &config)
}

/// Runs a turn at a moment with one call, whose bytes have waited so long; returns its outcome.
async fn call(
    pair: &mut Pair,
    (now, waited): (u64, u64),
    method: Method<String, String>,
    timeout: &str,
) -> StreamKey {
    NOW.set(ms(now));
    WAITED.set(ms(waited));
    let stream = pair.open(method.path(), &[("grpc-timeout", timeout)], false);
    pair.send(stream, &"text".to_owned(), true);
    for _ in 0..5 {
        pair.exchange();
        yield_now().await;
    }
    stream
}

fn code(pair: &Pair, stream: StreamKey) -> Option<Code> {
    let answer = pair.answers.get(&stream.id).filter(|answer| answer.ended)?;
    Some(answer.status().code())
}

/// Checks that a call was refused in one block; returns its retry delay in ms.
fn pushback(pair: &Pair, stream: StreamKey) -> u64 {
    let answer = &pair.answers[&stream.id];
    assert_eq!(answer.status().code(), Code::ResourceExhausted);
    assert!(answer.trailers.is_empty() && answer.body.is_empty());
    let field = answer.field("grpc-retry-pushback-ms");
    field.expect("when to come again").parse().unwrap()
}

#[test]
fn a_wait_that_stands_turns_calls_of_every_kind_away_and_then_no_more() {
    on_shard(async || {
        let mut pair = admitting();
        // Late for less than an interval: no call is refused yet.
        for now in [1000, 1050, 1099] {
            let stream = call(&mut pair, (now, 50), SAY, "").await;
            assert_eq!(code(&pair, stream), Some(Code::Ok), "at {now}");
        }
        HANDLED.set(0);
        for (now, method) in (1150..).zip([SAY, LIST, JOIN, CHAT]) {
            let stream = call(&mut pair, (now, 50), method, "").await;
            let pushback = pushback(&pair, stream);
            // As long as the overload has lasted, plus up to a half.
            assert!((150..=250).contains(&pushback), "{pushback}");
        }
        assert_eq!(HANDLED.get(), 0);
        let stream = call(&mut pair, (1154, 50), CHECK, "").await;
        assert_eq!(code(&pair, stream), Some(Code::Ok), "health is exempt");
        let stream = call(&mut pair, (1155, 5), SAY, "").await;
        assert_eq!(code(&pair, stream), Some(Code::Ok), "this one is in time");
        // The retry delay grows for clients that are refused later.
        for now in (1200..3000).step_by(20) {
            call(&mut pair, (now, 50), SAY, "").await;
        }
        let stream = call(&mut pair, (3000, 50), SAY, "").await;
        assert!(pushback(&pair, stream) > 1000);
        // The delay is gone, and after an interval the overload ends.
        for now in (3001..3300).step_by(20) {
            let stream = call(&mut pair, (now, 0), SAY, "").await;
            assert_eq!(code(&pair, stream), Some(Code::Ok), "at {now}");
        }
        let stream = call(&mut pair, (3301, 50), SAY, "").await;
        assert_eq!(code(&pair, stream), Some(Code::Ok), "a burst");
    });
}

#[test]
fn calls_that_waited_longer_than_their_callers_do_reach_no_handler() {
    use Code::{DeadlineExceeded, Ok};
    on_shard(async || {
        let mut pair = admitting();
        for (now, method) in (1000..).step_by(1000).zip([SAY, LIST, JOIN, CHAT]) {
            for (timeout, expected) in [("4m", DeadlineExceeded), ("5m", Ok), ("", Ok)] {
                HANDLED.set(0);
                let stream = call(&mut pair, (now, 4), method, timeout).await;
                assert_eq!(code(&pair, stream), Some(expected), "{method:?} {timeout}");
                assert_eq!(HANDLED.get(), u32::from(expected == Ok), "{timeout}");
                let answer = &pair.answers[&stream.id];
                assert_eq!(answer.field("grpc-retry-pushback-ms"), None);
            }
        }
    });
}

/// Begins a request of `bytes`, without its last byte.
fn begin(pair: &mut Pair, bytes: usize) -> (StreamKey, Vec<u8>) {
    let mut framed = Vec::new();
    corespun_codec::message::encode(&"x".repeat(bytes), &mut framed).unwrap();
    let last = framed.split_off(framed.len() - 1);
    let stream = pair.open(SAY.path(), &[], false);
    pair.client.send_data(stream, &framed, false);
    pair.exchange();
    (stream, last)
}

/// Connections wait for each other at the shard's bound, and all their calls succeed.
#[test]
fn the_bytes_of_all_connections_are_bounded_together() {
    on_shard(async || {
        let config = Config {
            message_bytes_max: 350_000,
            shard_bytes_max: Some(1_000_000),
            ..Config::default()
        };
        let valve = Valve::with_signals(&config, PLAYED);
        let mut pairs: Vec<_> = (0..5).map(|_| pair(&valve, &config)).collect();
        let mut begun = Vec::new();
        for pair in &mut pairs {
            begun.push(begin(pair, 300_000));
        }
        // Each may fill the window that its stream started with.
        assert!(valve.bytes() <= 1_000_000 + 350_000, "{}", valve.bytes());
        for (pair, (stream, last)) in pairs.iter_mut().zip(&begun) {
            pair.client.send_data(*stream, last, true);
        }
        for _ in 0..pairs.len() {
            for pair in &mut pairs {
                pair.server.advance(ms(0));
                pair.exchange();
            }
        }
        for (pair, (stream, _)) in pairs.iter().zip(&begun) {
            assert_eq!(code(pair, *stream), Some(Code::Ok));
        }
        assert_eq!(valve.bytes(), 0);
        drop(pairs);
        assert_eq!(valve.bytes(), 0);
    });
}

/// Bytes beyond the bound end the call that holds the most, on any connection.
#[test]
fn the_largest_call_ends_when_a_shard_is_out_of_memory() {
    on_shard(async || {
        let config = Config {
            message_bytes_max: 50_000,
            shard_bytes_max: Some(100_000),
            ..Config::default()
        };
        let valve = Valve::with_signals(&config, PLAYED);
        let mut pairs: Vec<_> = (0..4).map(|_| pair(&valve, &config)).collect();
        let (first, _) = begin(&mut pairs[0], 49_000);
        let (second, _) = begin(&mut pairs[1], 48_000);
        let (third, last) = begin(&mut pairs[2], 47_000);
        assert_eq!(code(&pairs[0], first), None);
        begin(&mut pairs[3], 46_000);
        for pair in &mut pairs {
            pair.server.advance(ms(0));
            pair.exchange();
        }
        assert_eq!(code(&pairs[0], first), Some(Code::ResourceExhausted));
        let text = pairs[0].answers[&first.id].status().message().to_owned();
        assert!(text.contains("over shard_bytes_max 100000"), "{text}");
        assert_eq!(code(&pairs[1], second), None);
        pairs[2].client.send_data(third, &last, true);
        pairs[2].exchange();
        assert_eq!(code(&pairs[2], third), Some(Code::Ok));
    });
}

/// At the shard's bound, a connection whose replies are not read does not block the others.
#[test]
fn a_full_shard_serves_those_who_read() {
    on_shard(async || {
        let config = Config {
            message_bytes_max: 40_000,
            shard_bytes_max: Some(100_000),
            ..Config::default()
        };
        let valve = Valve::with_signals(&config, PLAYED);
        let mut other = pair(&valve, &config);
        // Replies wait here because their client gives no credit. Their requests are complete.
        let mut client = Http2Config::client();
        client.limits.stream_window_bytes = 0;
        let mut deaf = Pair::behind(&valve, routes(), &config, client);
        deaf.exchange();
        for _ in 0..7 {
            let stream = deaf.open(SAY.path(), &[], false);
            deaf.send(stream, &"x".repeat(15_000), true);
            deaf.exchange();
            assert_eq!(code(&deaf, stream), None);
        }
        assert!(
            (100_000..125_000).contains(&valve.bytes()),
            "{}",
            valve.bytes()
        );
        for method in [SAY, CHECK] {
            let stream = call(&mut other, (1, 0), method, "").await;
            other.server.advance(ms(1000));
            other.exchange();
            assert_eq!(code(&other, stream), Some(Code::Ok));
        }
        drop(deaf);
        assert_eq!(valve.bytes(), 0, "what a connection kept goes with it");
    });
}
