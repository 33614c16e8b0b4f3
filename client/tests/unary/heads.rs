//! Response heads of failed calls, which the caller can still read.

use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Status};
use corespun_http2::{ErrorCode, StreamKey};
use corespun_runtime::{block_on, spawn};

use super::support::{HEAD, Pair, framed};
use super::{SAY, answered};

const JOIN: Method<String, String> = Method::new("/test.Words/Join", Kind::ClientStreaming);

type Script = fn(&mut Pair, StreamKey);

/// Returns the outcome of a client-streaming call.
fn joined(script: impl FnOnce(&mut Pair, StreamKey)) -> Status {
    let outcome = block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = spawn(async move {
            let request = Request::new(());
            let mut call = channel.client_streaming(JOIN, request).await.unwrap();
            call.send("hello".to_owned()).await.unwrap();
            call.finish().await.unwrap_err()
        });
        let stream = pair.request().await;
        script(&mut pair, stream);
        pair.settle().await;
        call.await.unwrap()
    });
    outcome.unwrap()
}

fn head(pair: &mut Pair, stream: StreamKey) {
    pair.headers(stream, &[HEAD[0], HEAD[1], ("x-head", "1")], false);
}

#[test]
fn failed_calls_with_one_response_carry_the_head() {
    let scripts: [(&str, Script, Code); 5] = [
        (
            "trailers",
            |pair, stream| {
                head(pair, stream);
                pair.headers(stream, &[("grpc-status", "9"), ("x-trailer", "2")], true);
            },
            Code::FailedPrecondition,
        ),
        (
            "trailers behind the message",
            |pair, stream| {
                head(pair, stream);
                pair.message(stream, "yes");
                pair.trailers(stream, "9");
            },
            Code::FailedPrecondition,
        ),
        (
            "no message",
            |pair, stream| {
                head(pair, stream);
                pair.trailers(stream, "0");
            },
            Code::Internal,
        ),
        (
            "a message that is none",
            |pair, stream| {
                head(pair, stream);
                pair.server.send_data(stream, &[9, 0, 0, 0, 0], false);
            },
            Code::Internal,
        ),
        (
            "a reset",
            |pair, stream| {
                head(pair, stream);
                pair.server.reset(stream, ErrorCode::PROTOCOL_ERROR);
            },
            Code::Internal,
        ),
    ];
    for (what, script, code) in scripts {
        for status in [unary(script), joined(script)] {
            assert_eq!(status.code(), code, "{what}: {status}");
            assert_eq!(status.head().get("x-head"), Some("1"), "{what}");
            assert_eq!(status.head().len(), 1, "{what}");
            assert_eq!(status.metadata().get("x-head"), None, "{what}");
        }
    }
}

/// Returns the outcome of a unary call, whose stream may still be open on the server's side.
fn unary(script: impl FnOnce(&mut Pair, StreamKey)) -> Status {
    let outcome = block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = spawn(async move {
            let request = Request::new("hello".to_owned());
            channel.unary(SAY, request).await.unwrap_err()
        });
        let stream = pair.request().await;
        script(&mut pair, stream);
        pair.settle().await;
        call.await.unwrap()
    });
    outcome.unwrap()
}

#[test]
fn a_deadline_after_the_head_leaves_the_head() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = spawn(async move {
            let mut request = Request::new("hello".to_owned());
            request.set_timeout(Duration::from_secs(5));
            channel.unary(SAY, request).await.unwrap_err()
        });
        let stream = pair.request().await;
        head(&mut pair, stream);
        pair.server.send_data(stream, &framed("hello")[..3], false);
        pair.settle().await;
        pair.now += Duration::from_secs(6);
        pair.settle().await;
        let status = call.await.unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.head().get("x-head"), Some("1"));
    })
    .unwrap();
}

#[test]
fn a_status_in_the_head_does_not_count_when_trailers_follow() {
    for (ahead, behind, code) in [
        ("0", "9", Some(Code::FailedPrecondition)),
        ("9", "0", None),
        ("9", "x", Some(Code::Unknown)),
        ("0", "", Some(Code::Unknown)),
        ("0", "17", Some(Code::Unknown)),
    ] {
        let outcome = answered(|pair, stream| {
            let head = [HEAD[0], HEAD[1], ("grpc-status", ahead)];
            pair.headers(stream, &head, false);
            pair.message(stream, "yes");
            pair.trailers(stream, behind);
        });
        let found = outcome.err().map(|status| status.code());
        assert_eq!(found, code, "{ahead} and {behind:?}");
    }
}

#[test]
fn a_response_that_is_trailers_alone_has_no_head() {
    let status = answered(|pair, stream| {
        let fields = [HEAD[0], HEAD[1], ("grpc-status", "5"), ("x-a", "1")];
        pair.headers(stream, &fields, true);
    });
    let status = status.unwrap_err();
    assert!(status.head().is_empty());
    assert_eq!(status.metadata().get("x-a"), Some("1"));
}
