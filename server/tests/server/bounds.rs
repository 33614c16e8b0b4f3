//! Limits on what peers make a connection hold: refused calls, and calls that must not be affected.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_http2::{Config as Http2Config, ErrorCode, StreamKey};
use corespun_runtime::{Flow, Protocol, block_on, yield_now};
use corespun_server::{Config, Incoming, Routes, Service, intercept_async};

use crate::support::Pair;

struct Store;

const ECHO: Method<String, String> = Method::new("/test.Store/Echo", Kind::Unary);
const LATER: Method<String, String> = Method::new("/test.Store/Later", Kind::Unary);
const NEVER: Method<String, String> = Method::new("/test.Store/Never", Kind::Unary);
const UNREAD: Method<String, String> = Method::new("/test.Store/Unread", Kind::ClientStreaming);
const FIRST: Method<String, String> = Method::new("/test.Store/First", Kind::BidiStreaming);

async fn echo(request: Request<String>) -> Result<Response<String>, Status> {
    Ok(Response::new(request.into_inner()))
}

/// Answers the first message, then reads the rest.
async fn first(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    while let Some(request) = requests.message().await? {
        out.send(request).await?;
    }
    Ok(())
}

impl Service for Store {
    const NAME: &'static str = "test.Store";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(ECHO, &service, |_, request| echo(request));
        routes.unary(LATER, &service, |_, request| async move {
            yield_now().await;
            echo(request).await
        });
        routes.unary(NEVER, &service, |_, request| async move {
            pending::<()>().await;
            echo(request).await
        });
        routes.client_streaming(
            UNREAD,
            &service,
            |_, requests: Streaming<String>| async move {
                pending::<()>().await;
                drop(requests);
                Ok(Response::new(String::new()))
            },
        );
        routes.bidi_streaming(FIRST, &service, |_, requests, out| first(requests, out));
    }
}

fn pair(set: impl Fn(&mut Config, &mut Http2Config)) -> Pair {
    let (mut server, mut client) = (Config::default(), Http2Config::client());
    set(&mut server, &mut client);
    let mut routes = Routes::new();
    routes.add(Store);
    Pair::with(routes, server, client)
}

fn on_shard(set: impl Fn(&mut Config, &mut Http2Config), test: impl AsyncFnOnce(Pair)) {
    block_on(async { test(pair(set)).await }).unwrap();
}

/// Runs some turns of the shard, and moves the bytes between them.
async fn turns(pair: &mut Pair) {
    for _ in 0..5 {
        pair.exchange();
        yield_now().await;
    }
}

fn code(pair: &Pair, stream: StreamKey) -> Option<Code> {
    let answer = pair.answers.get(&stream.id).filter(|answer| answer.ended)?;
    Some(answer.status().code())
}

/// Sends a unary request of `bytes` without its last byte; returns that byte.
fn begin(pair: &mut Pair, bytes: usize) -> (StreamKey, Vec<u8>) {
    let mut framed = Vec::new();
    corespun_codec::message::encode(&"x".repeat(bytes), &mut framed).unwrap();
    let last = framed.split_off(framed.len() - 1);
    let stream = pair.open(ECHO.path(), &[], false);
    pair.client.send_data(stream, &framed, false);
    pair.exchange();
    (stream, last)
}

/// Requests that together are more than may be held wait for each other, and none is lost.
#[test]
fn unfinished_requests_are_bounded_and_all_finish() {
    let set = |server: &mut Config, _: &mut Http2Config| {
        server.message_bytes_max = 100_000;
        server.http2.received_bytes_max = 300_000;
    };
    on_shard(set, async |mut pair| {
        let begun: Vec<_> = (0..20).map(|_| begin(&mut pair, 90_000)).collect();
        assert!(pair.answers.is_empty());
        let windows = 20 * 65_535;
        let held = pair.server.held_bytes();
        assert!(held <= 300_000 + windows, "{held} bytes are held");
        for (stream, last) in begun {
            pair.client.send_data(stream, &last, true);
            pair.exchange();
        }
        assert_eq!(pair.answers.len(), 20);
        for answer in pair.answers.values() {
            assert_eq!(answer.status().code(), Code::Ok);
        }
        assert_eq!(pair.server.held_bytes(), 0);
    });
}

/// A message of the largest size always fits, whatever the bound is.
#[test]
fn one_message_of_the_largest_size_always_fits() {
    let set = |server: &mut Config, _: &mut Http2Config| {
        server.message_bytes_max = 3 << 20;
        server.http2.received_bytes_max = 1;
    };
    on_shard(set, async |mut pair| {
        let (stream, last) = begin(&mut pair, (3 << 20) - 10);
        pair.client.send_data(stream, &last, true);
        pair.exchange();
        assert_eq!(code(&pair, stream), Some(Code::Ok));
    });
}

/// Streams that nobody reads hold one window each, and block no other stream.
#[test]
fn unread_streams_are_bounded() {
    let set = |server: &mut Config, _: &mut Http2Config| {
        server.message_bytes_max = 1000;
        server.http2.received_bytes_max = 200_000;
    };
    on_shard(set, async |mut pair| {
        let mut streams = Vec::new();
        for _ in 0..8 {
            let stream = pair.open(UNREAD.path(), &[], false);
            for _ in 0..1000 {
                pair.send(stream, &"x".repeat(900), false);
            }
            turns(&mut pair).await;
            streams.push(stream);
        }
        assert!(pair.server.held_bytes() <= 8 * 65_535);
        for stream in streams {
            assert_eq!(code(&pair, stream), None);
        }
        let answer = pair.unary(ECHO.path(), &"still served".to_owned());
        assert_eq!(answer.status().code(), Code::Ok);
    });
}

/// A stream that is read may continue for ever: nothing that was read is held.
#[test]
fn streams_that_are_read_keep_nothing() {
    let set = |server: &mut Config, _: &mut Http2Config| {
        server.message_bytes_max = 100_000;
        server.http2.received_bytes_max = 1;
    };
    on_shard(set, async |mut pair| {
        let stream = pair.open(FIRST.path(), &[], false);
        for _ in 0..30 {
            pair.send(stream, &"x".repeat(90_000), false);
            turns(&mut pair).await;
        }
        assert_eq!(code(&pair, stream), None);
        pair.client.send_data(stream, b"", true);
        turns(&mut pair).await;
        assert_eq!(code(&pair, stream), Some(Code::Ok));
    });
}

/// Messages that wait for interceptors are bounded, because their calls may yet be refused.
#[test]
fn messages_that_interceptors_let_wait_are_bounded() {
    let mut server = Config {
        message_bytes_max: 100_000,
        ..Config::default()
    };
    server.http2.received_bytes_max = 300_000;
    let is_open = Rc::new(Cell::new(false));
    let gate = Rc::clone(&is_open);
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let interceptor = intercept_async(async move |_: &mut Incoming| {
        count.set(count.get() + 1);
        while !gate.get() {
            yield_now().await;
        }
        Ok(())
    });
    block_on(async {
        let mut routes = Routes::intercepted(vec![Rc::new(interceptor)]);
        routes.add(Store);
        let mut pair = Pair::with(routes, server, Http2Config::client());
        let upload = async |method: &'static str, pair: &mut Pair| {
            let stream = pair.open(method, &[], false);
            pair.send(stream, &"x".repeat(90_000), true);
            turns(pair).await;
            stream
        };
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(upload(ECHO.path(), &mut pair).await);
        }
        assert_eq!(asked.get(), 4, "the others wait, as 360,000 bytes are kept");
        assert!(pair.answers.is_empty());
        is_open.set(true);
        turns(&mut pair).await;
        for stream in waiting {
            assert_eq!(code(&pair, stream), Some(Code::Ok));
        }
        // A message that was passed to its handler is no longer counted here.
        let mut handled = Vec::new();
        for _ in 0..5 {
            handled.push(upload(NEVER.path(), &mut pair).await);
        }
        for stream in handled {
            assert_eq!(code(&pair, stream), None);
        }
    })
    .unwrap();
}

/// Four handlers that leave a whole window unread do not stop the fifth upload.
#[test]
fn unread_windows_leave_the_connection_to_others() {
    on_shard(
        |_, _| {},
        async |mut pair| {
            for _ in 0..4 {
                let stream = pair.open(UNREAD.path(), &[], false);
                for _ in 0..12 {
                    pair.send(stream, &"x".repeat(100_000), false);
                }
                turns(&mut pair).await;
            }
            let answer = pair.unary(ECHO.path(), &"y".repeat(3 << 20));
            assert_eq!(answer.status().code(), Code::Ok);
        },
    );
}

#[test]
fn slow_bodies() {
    on_shard(
        |_, _| {},
        async |mut pair| {
            let at = Duration::from_secs;
            let nothing = pair.open(ECHO.path(), &[], false);
            let (part, _) = begin(&mut pair, 100);
            let idle = pair.open(FIRST.path(), &[], false);
            turns(&mut pair).await;
            pair.server.advance(at(60) - Duration::from_nanos(1));
            pair.exchange();
            assert_eq!((code(&pair, nothing), code(&pair, part)), (None, None));
            pair.server.advance(at(60));
            pair.exchange();
            for stream in [nothing, part] {
                assert_eq!(code(&pair, stream), Some(Code::DeadlineExceeded));
            }
            pair.server.advance(at(100_000));
            pair.send(idle, &"an idle stream is legal".to_owned(), true);
            turns(&mut pair).await;
            assert_eq!(code(&pair, idle), Some(Code::Ok));
            assert_eq!(pair.flow, Flow::Open);
        },
    );
}

/// Unread replies are bounded: further calls wait until they are read, and none is lost.
#[test]
fn unread_replies_are_bounded() {
    let set = |server: &mut Config, client: &mut Http2Config| {
        server.http2.queued_bytes_max = 100_000;
        client.limits.stream_window_bytes = 0;
    };
    on_shard(set, async |mut pair| {
        turns(&mut pair).await;
        let later = pair.open(LATER.path(), &[], false);
        pair.send(later, &"x".repeat(10), true);
        let streams: Vec<_> = (0..20)
            .map(|_| pair.open(ECHO.path(), &[], false))
            .collect();
        for &stream in &streams {
            pair.send(stream, &"x".repeat(40_000), true);
        }
        turns(&mut pair).await;
        let queued = pair.server.queued_bytes();
        assert!((100_000..200_000).contains(&queued), "{queued}");
        for stream in &streams {
            assert_eq!(code(&pair, *stream), None);
        }
        pair.client.expect(later, 1000);
        turns(&mut pair).await;
        assert_eq!(code(&pair, later), Some(Code::Ok), "it had started before");
        for (nth, &stream) in streams.iter().enumerate() {
            pair.client.expect(stream, 50_000);
            turns(&mut pair).await;
            assert_eq!(code(&pair, stream), Some(Code::Ok), "{nth}");
        }
        assert_eq!(pair.server.queued_bytes(), 0);
    });
}

/// A call that waits for space ends at its deadline, or when its client resets it.
#[test]
fn calls_that_wait_for_room_may_end() {
    let set = |server: &mut Config, client: &mut Http2Config| {
        server.http2.queued_bytes_max = 1000;
        client.limits.stream_window_bytes = 0;
    };
    on_shard(set, async |mut pair| {
        turns(&mut pair).await;
        let first = pair.open(ECHO.path(), &[], false);
        pair.send(first, &"x".repeat(2000), true);
        let timed = pair.open(ECHO.path(), &[("grpc-timeout", "5S")], false);
        pair.send(timed, &String::new(), true);
        let untimed = pair.open(ECHO.path(), &[], false);
        pair.send(untimed, &String::new(), true);
        let reset = pair.open(ECHO.path(), &[], false);
        pair.send(reset, &String::new(), true);
        turns(&mut pair).await;
        pair.client.reset(reset, ErrorCode::CANCEL);
        pair.server.advance(Duration::from_secs(1000));
        turns(&mut pair).await;
        assert_eq!(code(&pair, timed), Some(Code::DeadlineExceeded));
        assert_eq!(code(&pair, untimed), None, "nothing has to come any more");
        pair.client.reset(first, ErrorCode::CANCEL);
        pair.client.expect(untimed, 100);
        turns(&mut pair).await;
        assert_eq!(code(&pair, untimed), Some(Code::Ok));
    });
}

/// Calls that are reset while they wait leave nothing behind, however many.
#[test]
fn calls_reset_while_they_wait() {
    let set = |server: &mut Config, client: &mut Http2Config| {
        server.http2.queued_bytes_max = 1000;
        server.http2.reset_budget = 1_000_000;
        client.limits.stream_window_bytes = 0;
    };
    on_shard(set, async |mut pair| {
        turns(&mut pair).await;
        let first = pair.open(ECHO.path(), &[], false);
        pair.send(first, &"x".repeat(2000), true);
        turns(&mut pair).await;
        for _ in 0..1000 {
            let call = pair.open(ECHO.path(), &[], false);
            pair.send(call, &String::new(), true);
            pair.exchange();
            pair.client.reset(call, ErrorCode::CANCEL);
            pair.exchange();
        }
        let last = pair.open(ECHO.path(), &[], false);
        pair.send(last, &String::new(), true);
        pair.client.reset(first, ErrorCode::CANCEL);
        pair.client.expect(last, 100);
        turns(&mut pair).await;
        assert_eq!(code(&pair, last), Some(Code::Ok));
    });
}

/// With a bound set, a client that does not read its reply loses that call after a while, and no
/// other.
#[test]
fn slow_readers() {
    let set = |server: &mut Config, client: &mut Http2Config| {
        server.http2.write_progress_time_max = Duration::from_secs(60);
        client.limits.stream_window_bytes = 0;
    };
    on_shard(set, async |mut pair| {
        turns(&mut pair).await;
        let stream = pair.open(ECHO.path(), &[], false);
        pair.send(stream, &"x".repeat(1000), true);
        let other = pair.open(FIRST.path(), &[], false);
        turns(&mut pair).await;
        for second in 0..=60 {
            pair.server.advance(Duration::from_secs(second));
            pair.exchange();
        }
        assert_eq!(pair.answers[&stream.id].reset, None);
        for second in 61..=76 {
            pair.server.advance(Duration::from_secs(second));
            pair.exchange();
        }
        let calm = Some(ErrorCode::ENHANCE_YOUR_CALM.0);
        assert_eq!(pair.answers[&stream.id].reset, calm);
        pair.client.send_data(other, b"", true);
        turns(&mut pair).await;
        assert_eq!(code(&pair, other), Some(Code::Ok));
    });
}
