//! A channel over real sockets, against our server, on both engines.

#[path = "sockets/around.rs"]
mod around;
#[path = "sockets/compression.rs"]
mod compression;
mod engines;
#[path = "sockets/interceptors.rs"]
mod interceptors;
#[path = "sockets/large_metadata.rs"]
mod large_metadata;
#[path = "sockets/strangers.rs"]
mod strangers;
mod words;

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use corespun_client::{Channel, Config};
use corespun_codec::{Code, Request, Status};
use corespun_runtime::{Engine, now, sleep, spawn, spawn_blocking, timeout};
use engines::on_each_engine;
use words::{ASLEEP, ASLEEP_MOST, ECHO, JOIN, NOWHERE, SLEEP, SPLIT, UPPER, serve};

/// Lock for tests that count handlers, because the count is global to the process.
static COUNTING: Mutex<()> = Mutex::new(());

const PLENTY: u32 = 2000;

fn text(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}

fn granted(message: &str, span: Duration) -> Request<String> {
    let mut request = text(message);
    request.set_timeout(span);
    request
}

async fn connected(server: &corespun_server::Running) -> Channel {
    Channel::connect(&server.addresses()[0].to_string())
        .await
        .unwrap()
}

/// Waits for a condition that changes on the server's thread.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} does not come to be");
}

#[test]
fn the_four_kinds() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = connected(&server).await;
        for _ in 0..3 {
            let response = channel.unary(UPPER, text("hello")).await.unwrap();
            assert_eq!(response.get_ref(), "HELLO");
        }
        let mut request = text("metadata");
        request.metadata_mut().append("x-say", "ada").unwrap();
        let response = channel.unary(UPPER, request).await.unwrap();
        assert_eq!(response.metadata().get("x-before"), Some("ada"));
        assert_eq!(response.trailers().get("x-after"), Some("ada"));
        let status = channel.unary(UPPER, text("error")).await.unwrap_err();
        assert_eq!(status, Status::failed_precondition("asked to"));
        let status = channel.unary(NOWHERE, text("")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);

        let words = channel.server_streaming(SPLIT, text("a b error")).await;
        let mut words = words.unwrap().into_inner();
        assert_eq!(words.message().await.unwrap().as_deref(), Some("a"));
        assert_eq!(words.message().await.unwrap().as_deref(), Some("b"));
        assert_eq!(words.message().await, Err(Status::aborted("asked to")));

        let mut joining = channel
            .client_streaming(JOIN, Request::default())
            .await
            .unwrap();
        for word in ["a", "b", "c"] {
            joining.send(word.to_owned()).await.unwrap();
        }
        assert_eq!(joining.finish().await.unwrap().get_ref(), "abc");

        let echoing = channel.bidi_streaming(ECHO, Request::default()).await;
        let (mut requests, mut responses) = echoing.unwrap();
        for number in 0..100 {
            requests.send(number.to_string()).await.unwrap();
            assert_eq!(responses.message().await, Ok(Some(number.to_string())));
        }
        requests.finish();
        assert_eq!(responses.message().await, Ok(None));
        drop(channel);
        server.stop().unwrap();
    });
}

#[test]
fn large_messages_both_ways() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = connected(&server).await;
        for len in [1 << 20, (3 << 20) + 7] {
            let large = "x".repeat(len);
            let response = channel.unary(UPPER, text(&large)).await.unwrap();
            assert_eq!(response.into_inner(), "X".repeat(len));
            let echoing = channel.bidi_streaming(ECHO, Request::default()).await;
            let (mut requests, mut responses) = echoing.unwrap();
            let sent = large.clone();
            let writing = spawn(async move {
                for _ in 0..5 {
                    requests.send(sent.clone()).await.unwrap();
                }
            });
            for _ in 0..5 {
                let message = responses.message().await.unwrap().unwrap();
                assert!(message == large);
            }
            writing.await.unwrap();
            assert_eq!(responses.message().await, Ok(None));
        }
        let limit = Config {
            message_bytes_max: 1000,
            ..Config::default()
        };
        let target = server.addresses()[0].to_string();
        let small = Channel::lazy_with(&target, limit).unwrap();
        let status = small
            .unary(UPPER, text(&"x".repeat(1001)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(small.unary(UPPER, text("x")).await.is_ok());
    });
}

#[test]
fn deadlines_and_drops() {
    let _alone = COUNTING.lock();
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = connected(&server).await;
        let began = now();
        let span = Duration::from_millis(50);
        let status = channel
            .unary(SLEEP, granted("10000", span))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let took = now() - began;
        assert!(took >= span && took < Duration::from_secs(2), "{took:?}");
        eventually("the end of the handler", || {
            ASLEEP.load(Ordering::SeqCst) == 0
        })
        .await;

        let mut head = Request::new(());
        head.set_timeout(span);
        let echoing = channel.bidi_streaming::<String, String>(ECHO, head).await;
        let (_requests, mut responses) = echoing.unwrap();
        let status = responses.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);

        let call = channel.unary(SLEEP, text("10000"));
        assert!(timeout(span, call).await.is_err(), "dropped by the timeout");
        eventually("the cancelled handler's end", || {
            ASLEEP.load(Ordering::SeqCst) == 0
        })
        .await;
        assert!(channel.unary(SLEEP, granted("1", span * 100)).await.is_ok());
    });
}

#[test]
fn a_thousand_calls_at_once() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = Channel::lazy(&server.addresses()[0].to_string()).unwrap();
        let calls: Vec<_> = (0..1000)
            .map(|number| {
                let channel = channel.clone();
                spawn(async move {
                    let response = channel.unary(UPPER, text(&format!("call {number}"))).await;
                    assert_eq!(response.unwrap().into_inner(), format!("CALL {number}"));
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    });
}

#[test]
fn calls_over_the_limit_of_the_server_wait() {
    let _alone = COUNTING.lock();
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, 10);
        ASLEEP_MOST.store(0, Ordering::SeqCst);
        let channel = connected(&server).await;
        let start = |span: &'static str| {
            let channel = channel.clone();
            spawn(async move { channel.unary(SLEEP, text(span)).await })
        };
        let calls: Vec<_> = (0..100).map(|_| start("5")).collect();
        for call in calls {
            assert!(call.await.unwrap().is_ok());
        }
        assert_eq!(ASLEEP_MOST.load(Ordering::SeqCst), 10);
        let busy: Vec<_> = (0..10).map(|_| start("1000")).collect();
        sleep(Duration::from_millis(20)).await;
        let waiting = channel
            .unary(UPPER, granted("late", Duration::from_millis(50)))
            .await;
        assert_eq!(waiting.unwrap_err().code(), Code::DeadlineExceeded);
        for call in &busy {
            call.abort();
        }
        assert!(channel.unary(UPPER, text("free")).await.is_ok());
    });
}

#[test]
fn nobody_listens() {
    on_each_engine(async |_engine| {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let status = Channel::connect(&free.to_string()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let expected = format!("failed to connect to {free}: Connection refused (os error 111)");
        assert_eq!(status.message(), expected);
        let channel = Channel::lazy(&format!("http://{free}")).unwrap();
        let status = channel.unary(UPPER, text("x")).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, expected.as_str())
        );
        let status = Channel::connect("unix:/nonexistent/socket")
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            status.message().contains("unix:/nonexistent/socket"),
            "{status}"
        );
        assert!(status.message().contains("os error 2"), "{status}");
    });
}

#[test]
fn one_who_listens_and_says_nothing() {
    on_each_engine(async |_engine| {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = mute.local_addr().unwrap().to_string();
        let config = Config {
            connect_timeout: Duration::from_millis(50),
            ..Config::default()
        };
        let channel = Channel::lazy_with(&address, config).unwrap();
        let status = channel.unary(UPPER, text("x")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains(&address), "{status}");
        let span = Duration::from_millis(20);
        let status = channel.unary(UPPER, granted("x", span)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        drop(mute.accept().unwrap());
    });
}

#[test]
fn a_server_that_comes_back() {
    let _alone = COUNTING.lock();
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let address = server.addresses()[0].to_string();
        let channel = connected(&server).await;
        let (slow, quick) = (channel.clone(), channel.clone());
        let lost = spawn(async move { slow.unary(SLEEP, text("10000")).await });
        let spared = spawn(async move { quick.unary(SLEEP, text("100")).await });
        eventually("both handlers", || ASLEEP.load(Ordering::SeqCst) == 2).await;
        let stopping = std::thread::spawn(move || server.stop());
        assert!(
            spared.await.unwrap().is_ok(),
            "a drain lets calls under way finish"
        );
        let status = lost.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        stopping.join().unwrap().unwrap();
        let status = channel.unary(UPPER, text("gone")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let server = serve(&address, engine, PLENTY);
        let response = channel.unary(UPPER, text("back")).await.unwrap();
        assert_eq!(response.get_ref(), "BACK");
        drop(server);
    });
}

#[test]
fn other_ways_to_name_a_server() {
    on_each_engine(async |engine| {
        let path = format!("/tmp/corespun-client-{}-{engine}", std::process::id());
        let unix = serve(&format!("unix:{path}"), engine, PLENTY);
        let channel = Channel::connect(&format!("unix:{path}")).await.unwrap();
        assert!(channel.unary(UPPER, text("x")).await.is_ok());
        drop((channel, unix));
        let server = serve("127.0.0.1:0", Engine::Auto, PLENTY);
        let address = server.addresses()[0].to_string();
        let port = address.rsplit_once(':').unwrap().1;
        let channel = Channel::connect(&format!("localhost:{port}"))
            .await
            .unwrap();
        assert!(channel.unary(UPPER, text("x")).await.is_ok());
        let status = Channel::connect("name-without-port").await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    });
}

#[test]
fn what_a_drain_cuts_off_is_told_to_both_sides() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = connected(&server).await;
        let nap = |span: &str| {
            let (channel, request) = (channel.clone(), text(span));
            spawn(async move { channel.unary(SLEEP, request).await })
        };
        let (short, long) = (nap("100"), nap("60000"));
        sleep(Duration::from_millis(50)).await;
        let stopped = spawn(spawn_blocking(move || server.stop()));
        assert!(short.await.unwrap().is_ok(), "within the grace");
        let status = long.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("grace"), "{status}");
        let cut_off = stopped.await.unwrap().unwrap();
        assert_eq!((cut_off.connections, cut_off.calls), (1, 1));
        assert_eq!(
            cut_off.to_string(),
            "cut off: 1 connections with 1 calls; late calls: 0"
        );
    });
}

#[test]
fn a_drain_that_everybody_heeds_cuts_nothing_off() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let channel = connected(&server).await;
        channel.unary(UPPER, text("hello")).await.unwrap();
        let stopped = spawn(spawn_blocking(move || server.stop()));
        let cut_off = stopped.await.unwrap().unwrap();
        assert_eq!(cut_off, corespun_server::CutOff::default());
    });
}
