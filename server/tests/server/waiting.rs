//! Calls that wait long, arrive in part, or end in unusual ways: the memory that they hold, and
//! their ends.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_http2::{Config as Http2Config, Limits};
use corespun_runtime::{Protocol, block_on, sleep, yield_now};
use corespun_server::{Config, Routes, Service};

use crate::support::Pair;

struct Odd;

const UPPER: Method<String, String> = Method::new("/test.Odd/Upper", Kind::Unary);
const HANG: Method<String, String> = Method::new("/test.Odd/Hang", Kind::Unary);
const YIELD: Method<String, String> = Method::new("/test.Odd/Yield", Kind::Unary);
const WATCH: Method<String, String> = Method::new("/test.Odd/Watch", Kind::ServerStreaming);
const DEAF: Method<String, String> = Method::new("/test.Odd/Deaf", Kind::BidiStreaming);
const SLOW: Method<String, String> = Method::new("/test.Odd/Slow", Kind::ClientStreaming);
const BOMB: Method<String, String> = Method::new("/test.Odd/Bomb", Kind::ClientStreaming);
const START: Method<String, String> = Method::new("/test.Odd/Start", Kind::ClientStreaming);

async fn upper(request: Request<String>) -> Result<Response<String>, Status> {
    Ok(Response::new(request.into_inner().to_uppercase()))
}

/// Value that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("asked to");
    }
}

/// Waits forever while it owns a value that panics when dropped.
async fn bomb(_requests: Streaming<String>) -> Result<Response<String>, Status> {
    let bomb = Some(Bomb);
    pending::<()>().await;
    drop(bomb);
    Err(Status::internal("not reached"))
}

/// Reads at most the first message, then continues without reading.
async fn deaf(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    out.send("hello".to_owned()).await?;
    let first = requests.message().await?;
    if first.as_deref() == Some("drop") {
        drop(requests);
        return pending().await;
    }
    while requests.message().await.is_ok() {}
    pending().await
}

impl Service for Odd {
    const NAME: &'static str = "test.Odd";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(UPPER, &service, |_, request| upper(request));
        routes.unary(HANG, &service, |_, _: Request<String>| pending());
        routes.unary(YIELD, &service, |_, request| async move {
            yield_now().await;
            upper(request).await
        });
        routes.server_streaming(WATCH, &service, |_, _, _| pending());
        routes.bidi_streaming(DEAF, &service, |_, requests, out| deaf(requests, out));
        routes.client_streaming(SLOW, &service, |_, requests| async move {
            pending::<()>().await;
            drop(requests);
            Ok(Response::new(String::new()))
        });
        routes.client_streaming(BOMB, &service, |_, requests| bomb(requests));
        routes.client_streaming(START, &service, |_, _| panic_at_once());
    }
}

fn panic_at_once() -> std::future::Ready<Result<Response<String>, Status>> {
    panic!("asked to")
}

/// Creates a pair with the smallest possible windows.
fn pair() -> Pair {
    let limits = Limits {
        stream_window_bytes: 65_535,
        connection_window_bytes: 65_535,
        ..Limits::default()
    };
    let mut routes = Routes::new();
    routes.add(Odd);
    let config = Config {
        http2: limits,
        ..Config::default()
    };
    Pair::with(routes, config, Http2Config::client())
}

fn on_shard(test: impl AsyncFnOnce(Pair)) {
    block_on(async { test(pair()).await }).unwrap();
}

async fn settle(pair: &mut Pair, stream: u32) -> Code {
    for _ in 0..1000 {
        pair.exchange();
        if let Some(answer) = pair.answers.get(&stream).filter(|answer| answer.ended) {
            return answer.status().code();
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("stream {stream} did not end");
}

/// Runs some turns of the shard, and moves the bytes between them.
async fn turns(pair: &mut Pair) {
    for _ in 0..5 {
        pair.exchange();
        yield_now().await;
    }
}

#[test]
fn a_request_that_never_comes_whole_ends_at_its_deadline() {
    on_shard(async |mut pair| {
        let late = pair.open(UPPER.path(), &[("grpc-timeout", "2S")], false);
        let nothing = pair.open(UPPER.path(), &[("grpc-timeout", "1S")], false);
        let part = pair.open(WATCH.path(), &[("grpc-timeout", "1S")], false);
        pair.client.send_data(part, b"\0\0\0\0\x09", false);
        pair.exchange();
        assert_eq!(pair.server.deadline(), Some(Duration::from_secs(1)));
        pair.server.advance(Duration::from_millis(999));
        pair.exchange();
        assert!(pair.answers.is_empty());
        pair.server.advance(Duration::from_secs(1));
        pair.exchange();
        for stream in [nothing, part] {
            let answer = &pair.answers[&stream.id];
            assert_eq!(answer.status().code(), Code::DeadlineExceeded);
            assert!(answer.ended);
        }
        assert!(!pair.answers.contains_key(&late.id));
        assert_eq!(pair.server.deadline(), Some(Duration::from_secs(2)));
        pair.send(late, &"in time".to_owned(), true);
        pair.exchange();
        assert_eq!(pair.answers[&late.id].status().code(), Code::Ok);
        pair.server.advance(Duration::from_secs(2));
        let keepalive = Duration::from_secs(2 * 60 * 60);
        assert_eq!(pair.server.deadline(), Some(keepalive), "nothing else");
    });
}

#[test]
fn calls_that_wait_hold_nothing_of_the_window() {
    for method in [HANG, WATCH] {
        on_shard(async |mut pair| {
            for _ in 0..40 {
                let stream = pair.open(method.path(), &[], false);
                pair.send(stream, &"x".repeat(2000), true);
                turns(&mut pair).await;
            }
            let answer = pair.unary(UPPER.path(), &"y".repeat(2000));
            assert_eq!(answer.status().code(), Code::Ok, "{}", method.path());
        });
    }
}

#[test]
fn a_handler_that_stops_reading_holds_nothing_of_the_window() {
    for first in ["drop", "break"] {
        on_shard(async |mut pair| {
            let stream = pair.open(DEAF.path(), &[], false);
            pair.send(stream, &first.to_owned(), false);
            for _ in 0..10 {
                pair.send(stream, &"x".repeat(3000), false);
            }
            if first == "break" {
                pair.client.send_data(stream, b"\x07\0\0\0\0", false);
            }
            turns(&mut pair).await;
            for _ in 0..20 {
                pair.client.send_data(stream, &[0; 3000], false);
                turns(&mut pair).await;
            }
            let answer = pair.unary(UPPER.path(), &"y".repeat(30_000));
            assert_eq!(answer.status().code(), Code::Ok, "{first}");
            assert!(!pair.answers[&stream.id].ended);
        });
    }
}

#[test]
fn slow_readers_leave_the_rest_of_the_window_to_others() {
    on_shard(async |mut pair| {
        // More than half of the window waits for a handler that does not ask for it.
        let slow = pair.open(SLOW.path(), &[], false);
        for _ in 0..4 {
            pair.send(slow, &"x".repeat(10_000), false);
        }
        turns(&mut pair).await;
        for _ in 0..20 {
            let answer = pair.unary(UPPER.path(), &"y".repeat(3000));
            assert_eq!(answer.status().code(), Code::Ok);
        }
    });
}

#[test]
fn a_handler_that_panics_in_its_drop_or_start_ends_its_own_call_only() {
    on_shard(async |mut pair| {
        let bomb = pair.open(BOMB.path(), &[("grpc-timeout", "5m")], false);
        let start = pair.open(START.path(), &[], false);
        for stream in [start, bomb] {
            assert_eq!(settle(&mut pair, stream.id).await, Code::Unknown);
        }
        let answer = pair.unary(UPPER.path(), &"still here".to_owned());
        assert_eq!(answer.status().code(), Code::Ok);
    });
}

#[test]
fn the_content_type_is_repeated_by_every_kind_of_call() {
    on_shard(async |mut pair| {
        let proto = [("content-type", "application/grpc+proto")];
        for method in [UPPER, YIELD, DEAF] {
            let stream = pair.open(method.path(), &proto, false);
            pair.send(stream, &"x".to_owned(), method.path() != DEAF.path());
            turns(&mut pair).await;
            let found = pair.answers[&stream.id].field("content-type");
            assert_eq!(found, Some(proto[0].1), "{}", method.path());
        }
    });
}

#[test]
fn a_stale_ring_leaves_the_next_call_of_its_slot_alone() {
    on_shard(async |mut pair| {
        let deaf = pair.open(DEAF.path(), &[], false);
        turns(&mut pair).await;
        // The reset drops both ends of the pipe, which ring for a stream that is gone.
        pair.client.reset(deaf, corespun_http2::ErrorCode::CANCEL);
        let next = pair.open(YIELD.path(), &[], false);
        pair.send(next, &"next".to_owned(), true);
        assert_eq!(settle(&mut pair, next.id).await, Code::Ok);
    });
}
