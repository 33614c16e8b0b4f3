//! Streaming calls against a scripted server: order, ends, flow control.

mod support;

use std::time::Duration;

use corespun_client::Config;
use corespun_codec::{Code, Kind, Method, Request};
use corespun_http2::{ErrorCode, StreamKey};
use corespun_runtime::{Flow, block_on, spawn};
use support::{HEAD, Pair, Seen, framed};

const SPLIT: Method<String, String> = Method::new("/test.Words/Split", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Words/Join", Kind::ClientStreaming);
const ECHO: Method<String, String> = Method::new("/test.Words/Echo", Kind::BidiStreaming);

fn request() -> Request<String> {
    Request::new("a b".to_owned())
}

/// Returns the stream of the one call that has begun.
fn opened(seen: &[Seen]) -> StreamKey {
    match seen.first() {
        Some(Seen::Head(stream)) => *stream,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_stream_with_metadata_around_it() {
    for piece in [1, 3, 1000] {
        block_on(async {
            let (mut pair, channel) = Pair::new(100);
            pair.piece = piece;
            let call = spawn(async move { channel.server_streaming(SPLIT, request()).await });
            let stream = pair.request().await;
            pair.headers(stream, &[HEAD[0], HEAD[1], ("x-before", "1")], false);
            pair.settle().await;
            let response = call.await.unwrap().unwrap();
            assert_eq!(response.metadata().get("x-before"), Some("1"));
            let mut words = response.into_inner();
            for word in ["a", "", "b"] {
                pair.message(stream, word);
            }
            pair.headers(stream, &[("grpc-status", "0"), ("x-after", "2")], true);
            pair.settle().await;
            for word in ["a", "", "b"] {
                assert_eq!(words.message().await.unwrap().as_deref(), Some(word));
            }
            assert_eq!(words.message().await, Ok(None));
            assert_eq!(words.trailers().get("x-after"), Some("2"));
            assert_eq!(words.metadata().get("x-before"), Some("1"));
        })
        .unwrap();
    }
}

#[test]
fn an_error_ahead_of_the_stream_and_one_within() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let start = || {
            let channel = channel.clone();
            spawn(async move { channel.server_streaming(SPLIT, request()).await })
        };
        let call = start();
        let stream = pair.request().await;
        pair.headers(stream, &[HEAD[0], HEAD[1], ("grpc-status", "5")], true);
        pair.settle().await;
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::NotFound);

        let call = start();
        let stream = pair.request().await;
        pair.head(stream);
        pair.message(stream, "a");
        pair.trailers(stream, "10");
        pair.settle().await;
        let mut words = call.await.unwrap().unwrap().into_inner();
        assert_eq!(words.message().await.unwrap().as_deref(), Some("a"));
        assert_eq!(words.message().await.unwrap_err().code(), Code::Aborted);
        assert_eq!(words.message().await, Ok(None));

        let call = start();
        for _ in 0..2 {
            let stream = pair.request().await;
            pair.server.reset(stream, ErrorCode::REFUSED_STREAM);
        }
        pair.settle().await;
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
    })
    .unwrap();
}

#[test]
fn a_dropped_stream_is_cancelled_and_an_ended_one_is_not() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let (mut requests, responses) = channel
            .bidi_streaming(ECHO, Request::default())
            .await_with(&mut pair)
            .await;
        requests.send("a".to_owned()).await.unwrap();
        let stream = opened(&pair.settle().await);
        drop(responses);
        assert_eq!(
            pair.settle().await,
            [Seen::Reset(stream, ErrorCode::CANCEL)]
        );
        let status = requests.send("b".to_owned()).await.unwrap_err();
        assert_eq!(status.code(), Code::Cancelled);

        let (requests, responses) = channel
            .bidi_streaming::<String, String>(ECHO, Request::default())
            .await
            .unwrap();
        let stream = opened(&pair.settle().await);
        pair.trailers_only(stream);
        assert_eq!(pair.settle().await, []);
        drop((requests, responses));
        assert_eq!(pair.settle().await, [], "the call was over");
    })
    .unwrap();
}

#[test]
fn requests_end_with_their_last_bytes_or_alone() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let (mut requests, mut responses) = channel
            .bidi_streaming(ECHO, Request::default())
            .await_with(&mut pair)
            .await;
        requests.send("a".to_owned()).await.unwrap();
        let seen = pair.settle().await;
        let stream = opened(&seen);
        assert_eq!(seen[1], Seen::Data(stream, framed("a"), false));
        requests.send("b".to_owned()).await.unwrap();
        requests.finish();
        assert_eq!(pair.settle().await, [Seen::Data(stream, framed("b"), true)]);
        pair.respond(stream, "c");
        pair.settle().await;
        assert_eq!(responses.message().await.unwrap().as_deref(), Some("c"));
        assert_eq!(responses.message().await, Ok(None));

        let (requests, _responses) = channel
            .bidi_streaming::<String, String>(ECHO, Request::default())
            .await
            .unwrap();
        let stream = opened(&pair.settle().await);
        drop(requests);
        assert_eq!(pair.settle().await, [Seen::Data(stream, Vec::new(), true)]);
    })
    .unwrap();
}

#[test]
fn a_response_ahead_of_the_last_request() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let starting = channel.client_streaming(JOIN, Request::default());
        let mut call = starting.await_with(&mut pair).await;
        call.send("a".to_owned()).await.unwrap();
        let stream = opened(&pair.settle().await);
        pair.respond(stream, "enough");
        pair.settle().await;
        for _ in 0..100 {
            call.send("x".repeat(1 << 10)).await.unwrap();
        }
        let response: corespun_codec::Response<String> = call.finish().await.unwrap();
        assert_eq!(response.into_inner(), "enough");
        assert_eq!(pair.server.open_streams(), 0);

        let (mut requests, mut responses) = channel
            .bidi_streaming::<String, String>(ECHO, Request::default())
            .await
            .unwrap();
        let stream = opened(&pair.settle().await);
        pair.respond(stream, "enough");
        pair.settle().await;
        let status = requests.send("b".to_owned()).await.unwrap_err();
        assert_eq!(status.code(), Code::Cancelled);
        assert_eq!(
            responses.message().await.unwrap().as_deref(),
            Some("enough")
        );
        assert_eq!(responses.message().await, Ok(None));
    })
    .unwrap();
}

#[test]
fn the_number_of_responses_to_a_client_stream_is_one() {
    for (words, expected) in [
        (0, Some(Code::Internal)),
        (1, None),
        (2, Some(Code::Internal)),
    ] {
        block_on(async {
            let (mut pair, channel) = Pair::new(100);
            let starting = channel.client_streaming::<String, String>(JOIN, Request::default());
            let call = starting.await_with(&mut pair).await;
            let stream = opened(&pair.settle().await);
            pair.head(stream);
            for _ in 0..words {
                pair.message(stream, "x");
            }
            pair.trailers(stream, "0");
            pair.settle().await;
            assert_eq!(
                call.finish().await.err().map(|status| status.code()),
                expected
            );
        })
        .unwrap();
    }
}

#[test]
fn a_deadline_holds_over_the_whole_stream() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let mut head = Request::new(());
        head.set_timeout(Duration::from_secs(10));
        let starting = channel.bidi_streaming::<String, String>(ECHO, head);
        let (_requests, mut responses) = starting.await_with(&mut pair).await;
        let stream = opened(&pair.settle().await);
        pair.head(stream);
        pair.message(stream, "a");
        pair.settle().await;
        assert_eq!(responses.message().await.unwrap().as_deref(), Some("a"));
        pair.now += Duration::from_secs(11);
        assert_eq!(
            pair.settle().await,
            [Seen::Reset(stream, ErrorCode::CANCEL)]
        );
        let status = responses.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    })
    .unwrap();
}

#[test]
fn a_reader_that_does_not_read_holds_the_server_back() {
    const WORD: usize = 100 << 10;
    const WORDS: usize = 30;
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = spawn(async move { channel.server_streaming(SPLIT, request()).await });
        let stream = pair.request().await;
        pair.head(stream);
        for _ in 0..WORDS {
            pair.message(stream, &"x".repeat(WORD));
        }
        pair.trailers(stream, "0");
        pair.settle().await;
        let held = pair.server.queued(stream);
        assert!(
            held > (WORDS - 12) * WORD,
            "the window is 1 MiB: {held} bytes are held back"
        );
        let mut words = call.await.unwrap().unwrap().into_inner();
        for _ in 0..WORDS {
            assert_eq!(words.message().await.unwrap().unwrap().len(), WORD);
            pair.settle().await;
        }
        assert_eq!(words.message().await, Ok(None));
    })
    .unwrap();
}

#[test]
fn a_server_that_does_not_read_holds_the_writer_back() {
    const WORD: usize = 100 << 10;
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        pair.releases = false;
        let starting = channel.bidi_streaming::<String, String>(ECHO, Request::default());
        let (mut requests, _responses) = starting.await_with(&mut pair).await;
        let writer = spawn(async move {
            for _ in 0..30 {
                requests.send("x".repeat(WORD)).await.unwrap();
            }
        });
        let seen = pair.settle().await;
        let stream = opened(&seen);
        let mut came = bytes(seen);
        came += bytes(pair.settle().await);
        assert!(
            came <= 1 << 20,
            "{came} bytes came through a window of 1 MiB"
        );
        pair.releases = true;
        while came < 30 * WORD {
            pair.server.release(stream, 1 << 20);
            let more = bytes(pair.settle().await);
            assert!(more > 0, "stuck after {came} bytes");
            came += more;
        }
        writer.await.unwrap();
    })
    .unwrap();
}

fn bytes(seen: Vec<Seen>) -> usize {
    let data = seen.into_iter().map(|seen| match seen {
        Seen::Data(_, bytes, _) => bytes.len(),
        _ => 0,
    });
    data.sum()
}

/// Runs the first call of a pair, which waits for the server's SETTINGS.
trait AwaitWith<T> {
    async fn await_with(self, pair: &mut Pair) -> T;
}

impl<T, F: Future<Output = Result<T, corespun_codec::Status>>> AwaitWith<T> for F {
    async fn await_with(self, pair: &mut Pair) -> T {
        pair.settle().await;
        self.await.unwrap()
    }
}

/// Unread streams hold their windows; each can be read to its end, in any order.
#[test]
fn unread_responses_are_bounded() {
    block_on(async {
        let mut config = Config::default();
        config.http2.received_bytes_max = 16 << 20;
        let (mut pair, channel) = Pair::with(100, &config);
        let piece = "x".repeat(100_000);
        let mut unread = Vec::new();
        for _ in 0..24 {
            let channel = channel.clone();
            let request = Request::new(String::new());
            let call = spawn(async move { channel.server_streaming(SPLIT, request).await });
            let stream = pair.request().await;
            pair.head(stream);
            (0..10).for_each(|_| pair.message(stream, &piece));
            pair.settle().await;
            unread.push(call.await.unwrap());
        }
        for call in unread.into_iter().rev() {
            let mut words = call.unwrap().into_inner();
            for nth in 0..10 {
                pair.settle().await;
                let word = words.message().await_with(&mut pair).await;
                assert_eq!(word.as_deref(), Some(&piece[..]), "{nth}");
            }
        }
        assert_eq!(pair.flow, Flow::Open);
    })
    .unwrap();
}
