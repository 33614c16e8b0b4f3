//! Responses that are not gRPC: the status that they become, for one response and for a stream.

use corespun_codec::{Code, Kind, Method, Request, Status};
use corespun_http2::{ErrorCode, StreamKey};
use corespun_runtime::{block_on, spawn};

use super::answered;
use super::support::{HEAD, Pair, framed};

const SPLIT: Method<String, String> = Method::new("/test.Words/Split", Kind::ServerStreaming);

const PAGE: &[u8] = b"<html>sorry</html>";

type Script<'a> = dyn Fn(&mut Pair, StreamKey) + 'a;

/// Returns the outcome of a server-streaming call: the number of messages, and the end.
fn streamed(script: &Script<'_>) -> (usize, Result<(), Status>) {
    let outcome = block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = spawn(async move {
            let request = Request::new("a b".to_owned());
            let mut messages = 0;
            let mut responses = match channel.server_streaming(SPLIT, request).await {
                Ok(responses) => responses.into_inner(),
                Err(status) => return (0, Err(status)),
            };
            loop {
                match responses.message().await {
                    Ok(Some(_)) => messages += 1,
                    Ok(None) => return (messages, Ok(())),
                    Err(status) => return (messages, Err(status)),
                }
            }
        });
        let stream = pair.request().await;
        script(&mut pair, stream);
        pair.settle().await;
        call.await.unwrap()
    });
    outcome.unwrap()
}

/// Expects both kinds of calls to end with `code` and a message that contains `parts`.
fn check(what: &str, script: &Script<'_>, code: Code, parts: &[&str]) {
    let (messages, streamed) = streamed(script);
    assert_eq!(messages, 0, "{what}");
    for status in [answered(script).unwrap_err(), streamed.unwrap_err()] {
        assert_eq!(status.code(), code, "{what}: {status}");
        for part in parts {
            assert!(status.message().contains(part), "{what}: {status}");
        }
    }
}

#[test]
fn pages_of_proxies_with_and_without_trailers() {
    for (http, code) in [
        ("200", Code::Unknown),
        ("204", Code::Unknown),
        ("206", Code::Unknown),
        ("302", Code::Unknown),
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("429", Code::Unavailable),
        ("500", Code::Unknown),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
    ] {
        let head = [(":status", http), ("content-type", "text/html")];
        let named = format!(":status {http}");
        let seen: [&str; 3] = [&named, "content-type \"text/html\"", "body \"<html>sorry"];
        let page = |pair: &mut Pair, stream, ends| {
            pair.headers(stream, &head, false);
            pair.server.send_data(stream, PAGE, ends);
        };
        check(http, &|pair, stream| page(pair, stream, true), code, &seen);
        check(
            "its head alone",
            &|pair, stream| pair.headers(stream, &head, true),
            code,
            &seen[..2],
        );
        check(
            "other trailers",
            &|pair, stream| {
                page(pair, stream, false);
                pair.headers(stream, &[("x-proxy", "1")], true);
            },
            code,
            &seen,
        );
        check(
            "an OK in trailers",
            &|pair, stream| {
                page(pair, stream, false);
                pair.trailers(stream, "0");
            },
            code,
            &seen,
        );
        check(
            "a status in trailers",
            &|pair, stream| {
                page(pair, stream, false);
                pair.trailers(stream, "10");
            },
            Code::Aborted,
            &seen,
        );
        check(
            "a reset",
            &|pair, stream| {
                page(pair, stream, false);
                pair.server.reset(stream, ErrorCode::CANCEL);
            },
            code,
            &seen,
        );
    }
}

#[test]
fn messages_behind_a_foreign_head_are_not_taken() {
    let heads: [&[(&str, &str)]; 5] = [
        &[(":status", "200")],
        &[(":status", "200"), ("content-type", "")],
        &[(":status", "200"), ("content-type", "application/grpc-web")],
        &[(":status", "200"), ("content-type", "application/json")],
        &[(":status", "206"), HEAD[1]],
    ];
    for head in heads {
        let script: &Script<'_> = &|pair, stream| {
            pair.headers(stream, head, false);
            pair.message(stream, "one");
            pair.trailers(stream, "0");
        };
        check(
            &format!("{head:?}"),
            script,
            Code::Unknown,
            &["content-type"],
        );
        let ended: Vec<_> = head.iter().copied().chain([("grpc-status", "0")]).collect();
        let script: &Script<'_> = &|pair, stream| pair.headers(stream, &ended, true);
        check(
            &format!("{head:?}"),
            script,
            Code::Unknown,
            &["content-type"],
        );
    }
}

#[test]
fn other_spellings_of_the_content_type_are_grpc() {
    for content_type in [
        "application/grpc+proto",
        "application/grpc;charset=utf-8",
        "application/grpc ;charset=utf-8",
        "application/grpc+proto; charset=utf-8",
        "Application/gRPC",
    ] {
        let script: &Script<'_> = &|pair, stream| {
            pair.headers(stream, &[HEAD[0], ("content-type", content_type)], false);
            pair.message(stream, "one");
            pair.trailers(stream, "0");
        };
        assert_eq!(answered(script).unwrap().get_ref(), "one", "{content_type}");
        assert_eq!(streamed(script), (1, Ok(())), "{content_type}");
    }
}

#[test]
fn a_statuses_own_message_wins_and_the_head_is_kept() {
    let head = [
        (":status", "503"),
        ("content-type", "text/plain"),
        ("retry-after", "3"),
    ];
    let script: &Script<'_> = &|pair, stream| {
        pair.headers(stream, &head, false);
        pair.server.send_data(stream, b"\x1b[31mbusy\r\n", false);
        let trailers = [("grpc-status", "8"), ("grpc-message", "full"), ("x-a", "1")];
        pair.headers(stream, &trailers, true);
    };
    for status in [
        answered(script).unwrap_err(),
        streamed(script).1.unwrap_err(),
    ] {
        assert_eq!(
            (status.code(), status.message()),
            (Code::ResourceExhausted, "full")
        );
        assert_eq!(status.head().get("retry-after"), Some("3"));
        assert_eq!(status.metadata().get("x-a"), Some("1"));
    }
    let script: &Script<'_> = &|pair, stream| {
        pair.headers(stream, &head, false);
        pair.server.send_data(stream, b"\x1b[31mbusy\r\n", true);
    };
    let status = answered(script).unwrap_err();
    let body = "body \"\\u{1b}[31mbusy\\r\\n\"";
    assert!(status.message().ends_with(body), "{status}");
    assert_eq!(status.head().get("retry-after"), Some("3"));
}

#[test]
fn a_long_page_costs_no_memory_and_is_quoted_in_part() {
    let script: &Script<'_> = &|pair, stream| {
        pair.headers(stream, &[(":status", "502")], false);
        for _ in 0..50 {
            pair.server.send_data(stream, &[b'x'; 4000], false);
        }
        pair.server.send_data(stream, &framed("no message"), true);
    };
    let quoted = format!("body \"{}\"...", "x".repeat(256));
    check("a long page", script, Code::Unavailable, &[&quoted]);
}
