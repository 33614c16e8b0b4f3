//! Successful and refused calls of the four kinds, over connections joined in memory.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_http2::Config as Http2Config;
use corespun_runtime::{block_on, sleep, yield_now};
use corespun_server::{Config, Routes, Service};

use crate::support::Pair;

struct Words;

const UPPER: Method<String, String> = Method::new("/test.Words/Upper", Kind::Unary);
const SLOW: Method<String, String> = Method::new("/test.Words/Slow", Kind::Unary);
const SPLIT: Method<String, String> = Method::new("/test.Words/Split", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Words/Join", Kind::ClientStreaming);
const ECHO: Method<String, String> = Method::new("/test.Words/Echo", Kind::BidiStreaming);

async fn upper(request: Request<String>) -> Result<Response<String>, Status> {
    let mut metadata = request.metadata().clone();
    match request.get_ref().as_str() {
        "panic" => panic!("asked to"),
        "error" => Err(Status::failed_precondition("naïve 100%")),
        "metadata" => {
            metadata.remove("user-agent");
            let mut response = Response::new(request.peer().unwrap_or("").to_owned());
            *response.metadata_mut() = metadata;
            response.trailers_mut().append("x-after", "yes").unwrap();
            Ok(response)
        }
        text => Ok(Response::new(text.to_uppercase())),
    }
}

async fn split(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    for word in request.get_ref().split(' ') {
        if word == "stop" {
            return Err(Status::aborted("stopped"));
        }
        out.send(word.to_owned()).await?;
    }
    Ok(())
}

async fn join(mut requests: Streaming<String>) -> Result<Response<String>, Status> {
    let mut words = Vec::new();
    while let Some(word) = requests.message().await? {
        words.push(word);
    }
    Ok(Response::new(words.join(" ")))
}

async fn echo(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    while let Some(word) = requests.message().await? {
        out.send(word).await?;
    }
    Ok(())
}

impl Service for Words {
    const NAME: &'static str = "test.Words";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(UPPER, &service, |_, request| upper(request));
        routes.unary(SLOW, &service, |_, request: Request<String>| async move {
            sleep(Duration::from_millis(20)).await;
            upper(request).await
        });
        routes.server_streaming(SPLIT, &service, |_, request, out| split(request, out));
        routes.client_streaming(JOIN, &service, |_, requests| join(requests));
        routes.bidi_streaming(ECHO, &service, |_, requests, out| echo(requests, out));
    }
}

fn pair() -> Pair {
    let mut routes = Routes::new();
    routes.add(Words);
    Pair::new(routes)
}

fn on_shard(test: impl AsyncFnOnce(Pair)) {
    block_on(async { test(pair()).await }).unwrap();
}

fn texts(body: &[u8]) -> Vec<String> {
    let mut rest = body;
    let mut texts = Vec::new();
    while let Some((message, after)) = corespun_codec::message::split(rest, 1 << 24).unwrap() {
        texts.push(corespun_codec::message::decode(message).unwrap());
        rest = after;
    }
    assert!(rest.is_empty());
    texts
}

/// Runs tasks and exchanges bytes until the stream has ended.
async fn settle(pair: &mut Pair, stream: u32) {
    for _ in 0..1000 {
        pair.exchange();
        if pair.answers.get(&stream).is_some_and(|answer| answer.ended) {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!(
        "stream {stream} did not end: {:?}",
        pair.answers.get(&stream)
    );
}

#[test]
fn unary_calls_are_answered_in_place() {
    on_shard(async |mut pair| {
        for round in 0..3 {
            let answer = pair.unary(UPPER.path(), &format!("abc{round}"));
            assert_eq!(texts(&answer.body), [format!("ABC{round}")]);
            assert_eq!(answer.status().code(), Code::Ok);
            assert_eq!(answer.field(":status"), Some("200"));
            assert_eq!(answer.field("content-type"), Some("application/grpc"));
        }
    });
}

#[test]
fn a_unary_call_that_waits_is_answered_later() {
    on_shard(async |mut pair| {
        let slow = pair.open(SLOW.path(), &[], false);
        pair.send(slow, &"slow".to_owned(), true);
        let answer = pair.unary(UPPER.path(), &"fast".to_owned());
        assert_eq!(texts(&answer.body), ["FAST"]);
        assert!(!pair.answers.contains_key(&slow.id));
        settle(&mut pair, slow.id).await;
        assert_eq!(texts(&pair.answers[&slow.id].body), ["SLOW"]);
    });
}

#[test]
fn errors_panics_and_metadata() {
    on_shard(async |mut pair| {
        let status = pair.unary(UPPER.path(), &"error".to_owned()).status();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "naïve 100%");
        let status = pair.unary(UPPER.path(), &"panic".to_owned()).status();
        assert_eq!(status.code(), Code::Unknown);
        let slow = pair.open(SLOW.path(), &[], false);
        pair.send(slow, &"panic".to_owned(), true);
        settle(&mut pair, slow.id).await;
        assert_eq!(pair.answers[&slow.id].status().code(), Code::Unknown);

        let fields = [("x-one", "1"), ("x-one", "2"), ("x-bin", "AAEC")];
        let stream = pair.open(UPPER.path(), &fields, false);
        pair.send(stream, &"metadata".to_owned(), true);
        pair.exchange();
        let answer = &pair.answers[&stream.id];
        let ones: Vec<_> = answer
            .head
            .iter()
            .filter(|(name, _)| name == "x-one")
            .collect();
        assert_eq!(ones.len(), 2, "{answer:?}");
        assert_eq!(answer.field("x-bin"), Some("AAEC"));
        assert_eq!(answer.field("x-after"), Some("yes"));
        assert_eq!(texts(&answer.body), ["127.0.0.1:9"]);
    });
}

#[test]
fn streams_of_every_kind() {
    on_shard(async |mut pair| {
        let stream = pair.open(SPLIT.path(), &[], false);
        pair.send(stream, &"a b c".to_owned(), true);
        settle(&mut pair, stream.id).await;
        let answer = &pair.answers[&stream.id];
        assert_eq!(texts(&answer.body), ["a", "b", "c"]);
        assert_eq!(answer.status().code(), Code::Ok);

        let stream = pair.open(SPLIT.path(), &[], false);
        pair.send(stream, &"a stop b".to_owned(), true);
        settle(&mut pair, stream.id).await;
        assert_eq!(texts(&pair.answers[&stream.id].body), ["a"]);
        assert_eq!(pair.answers[&stream.id].status().code(), Code::Aborted);

        let stream = pair.open(JOIN.path(), &[], false);
        for (word, last) in [("x", false), ("y", false), ("z", true)] {
            pair.send(stream, &word.to_owned(), last);
            pair.exchange();
            yield_now().await;
        }
        settle(&mut pair, stream.id).await;
        assert_eq!(texts(&pair.answers[&stream.id].body), ["x y z"]);

        let stream = pair.open(ECHO.path(), &[], false);
        for word in ["one", "two"] {
            pair.send(stream, &word.to_owned(), false);
            pair.exchange();
            sleep(Duration::from_millis(2)).await;
            pair.exchange();
            let body = &pair.answers[&stream.id].body;
            assert_eq!(texts(body).last().map(String::as_str), Some(word));
        }
        pair.client.send_data(stream, &[], true);
        settle(&mut pair, stream.id).await;
        assert_eq!(pair.answers[&stream.id].status().code(), Code::Ok);
    });
}

#[test]
fn deadlines_end_calls_that_wait() {
    on_shard(async |mut pair| {
        for (path, timeout) in [
            (SLOW.path(), "1m"),
            (UPPER.path(), "0n"),
            (JOIN.path(), "5m"),
        ] {
            let stream = pair.open(path, &[("grpc-timeout", timeout)], false);
            pair.send(stream, &"late".to_owned(), path != JOIN.path());
            settle(&mut pair, stream.id).await;
            let status = pair.answers[&stream.id].status();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{path}");
        }
        let stream = pair.open(SLOW.path(), &[("grpc-timeout", "5S")], false);
        pair.send(stream, &"in time".to_owned(), true);
        settle(&mut pair, stream.id).await;
        assert_eq!(pair.answers[&stream.id].status().code(), Code::Ok);
    });
}

#[test]
fn requests_that_are_no_calls_are_refused() {
    /// Path, further fields, and the `:status` and code to expect.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, Code);
    let rows: [Row<'_>; 9] = [
        ("/test.Words/Nope", &[], "200", Code::Unimplemented),
        ("/test.Nope/Upper", &[], "200", Code::Unimplemented),
        ("test.Words/Upper", &[], "200", Code::Unimplemented),
        (
            UPPER.path(),
            &[("content-type", "text/html")],
            "415",
            Code::Unknown,
        ),
        (
            UPPER.path(),
            &[("content-type", "application/grpcfoo")],
            "415",
            Code::Unknown,
        ),
        (
            UPPER.path(),
            &[("grpc-encoding", "br")],
            "200",
            Code::Unimplemented,
        ),
        (
            UPPER.path(),
            &[("grpc-timeout", "123456789S")],
            "400",
            Code::Internal,
        ),
        (UPPER.path(), &[(":method", "GET")], "405", Code::Internal),
        (UPPER.path(), &[("x-bin", "!")], "400", Code::Internal),
    ];
    on_shard(async |mut pair| {
        for (path, fields, http_status, code) in rows {
            for _again in 0..2 {
                let stream = pair.open(path, fields, false);
                pair.send(stream, &"x".to_owned(), true);
                pair.exchange();
                let answer = &pair.answers[&stream.id];
                assert_eq!(
                    answer.field(":status"),
                    Some(http_status),
                    "{path} {fields:?}"
                );
                assert_eq!(answer.status().code(), code, "{path} {fields:?}");
                assert!(answer.ended);
            }
        }
        let answer = pair.unary(UPPER.path(), &"still here".to_owned());
        assert_eq!(texts(&answer.body), ["STILL HERE"]);
    });
}

/// Large metadata of one caller concern that call alone.
#[test]
fn metadata_of_any_form_and_size() {
    on_shard(async |mut pair| {
        let other = pair.open(ECHO.path(), &[], false);
        let blank = pair.open(UPPER.path(), &[("x-a", " v\t"), ("x-b", " ")], false);
        pair.send(blank, &"metadata".to_owned(), true);
        pair.exchange();
        let answer = &pair.answers[&blank.id];
        assert_eq!(answer.status().code(), Code::Ok);
        assert_eq!(answer.field("x-a"), Some(" v\t"), "as it came");
        let text = |bytes: usize| "a".repeat(bytes);
        let names: Vec<String> = (0..1100).map(|nth| format!("x-{nth}")).collect();
        let list = |count: usize, value: &str| -> Vec<(String, String)> {
            let names = names[..count].iter();
            names.map(|name| (name.clone(), value.to_owned())).collect()
        };
        for (more, said) in [
            (
                list(1, &text(17_000)),
                "17328 bytes in 7 fields, 8192 bytes are allowed",
            ),
            (
                list(10, &text(4_000)),
                "40643 bytes in 16 fields, 8192 bytes are allowed",
            ),
            (
                list(1100, "a"),
                "42083 bytes in 1106 fields, 8192 bytes are allowed",
            ),
            (list(140, "v"), "146 fields, 128 are allowed"),
        ] {
            let more: Vec<_> = more.iter().map(|(n, v)| (&n[..], &v[..])).collect();
            let large = pair.open(UPPER.path(), &more, false);
            pair.send(large, &"text".to_owned(), true);
            pair.exchange();
            let status = pair.answers[&large.id].status();
            assert_eq!(status.code(), Code::ResourceExhausted);
            let message = status.message();
            assert!(message.starts_with("the request's metadata is too large: "));
            assert!(message.ends_with(said), "{message}");
        }
        pair.send(other, &"still here".to_owned(), true);
        settle(&mut pair, other.id).await;
        assert_eq!(texts(&pair.answers[&other.id].body), ["still here"]);
    });
}

#[test]
fn malformed_messages_are_refused() {
    let rows: [(&[u8], Code); 8] = [
        (b"", Code::Unimplemented),
        (
            b"\0\0\0\0\x02\x0a\x00\0\0\0\0\x02\x0a\x00",
            Code::Unimplemented,
        ),
        (b"\0\0\0", Code::Internal),
        (b"\0\0\0\0\x09\x0a", Code::Internal),
        (b"\x01\0\0\0\x02\x0a\x00", Code::Internal),
        (b"\x07\0\0\0\x02\x0a\x00", Code::Internal),
        (b"\0\0\0\0\x02\x0a\x09", Code::Internal),
        (b"\0\xff\0\0\0", Code::ResourceExhausted),
    ];
    on_shard(async |mut pair| {
        for (body, code) in rows {
            for split in 0..=body.len().min(6) {
                let stream = pair.open(UPPER.path(), &[], false);
                let (first, rest) = body.split_at(split);
                pair.client.send_data(stream, first, false);
                pair.exchange();
                pair.client.send_data(stream, rest, true);
                pair.exchange();
                let answer = &pair.answers[&stream.id];
                assert_eq!(answer.status().code(), code, "{body:?} split at {split}");
            }
        }
    });
}

#[test]
fn a_request_in_any_split_is_the_same_request() {
    on_shard(async |mut pair| {
        let mut framed = Vec::new();
        corespun_codec::message::encode(&"split me".to_owned(), &mut framed).unwrap();
        for at in 0..framed.len() {
            let stream = pair.open(UPPER.path(), &[], false);
            pair.client.send_data(stream, &framed[..at], false);
            pair.exchange();
            pair.client.send_data(stream, &framed[at..], false);
            pair.client.send_data(stream, &[], true);
            pair.exchange();
            assert_eq!(
                texts(&pair.answers[&stream.id].body),
                ["SPLIT ME"],
                "split at {at}"
            );
        }
    });
}

#[test]
fn large_messages_pass_small_windows() {
    let limits = corespun_http2::Limits {
        stream_window_bytes: 65_535,
        connection_window_bytes: 65_535,
        ..Default::default()
    };
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Words);
        let config = Config {
            http2: limits.clone(),
            ..Config::default()
        };
        let client = Http2Config {
            limits,
            ..Http2Config::client()
        };
        let mut pair = Pair::with(routes, config, client);
        let text = "x".repeat(1 << 20);
        let answer = pair.unary(UPPER.path(), &text);
        assert_eq!(texts(&answer.body), [text.to_uppercase()]);
        let stream = pair.open(ECHO.path(), &[], false);
        for last in [false, false, true] {
            pair.send(stream, &text, last);
        }
        settle(&mut pair, stream.id).await;
        assert_eq!(texts(&pair.answers[&stream.id].body), vec![text; 3]);
    })
    .unwrap();
}

#[test]
fn a_reset_drops_the_handler_and_a_drain_lets_it_finish() {
    on_shard(async |mut pair| {
        let echo = pair.open(ECHO.path(), &[], false);
        pair.send(echo, &"one".to_owned(), false);
        pair.exchange();
        pair.client.reset(echo, corespun_http2::ErrorCode::CANCEL);
        pair.exchange();

        let slow = pair.open(SLOW.path(), &[], false);
        pair.send(slow, &"finish".to_owned(), true);
        pair.exchange();
        corespun_runtime::Protocol::drain(&mut pair.server, Duration::ZERO);
        settle(&mut pair, slow.id).await;
        assert_eq!(texts(&pair.answers[&slow.id].body), ["FINISH"]);
        pair.exchange();
        assert_eq!(pair.flow, corespun_runtime::Flow::Close);
    });
}
