//! Plain requests next to calls, over connections joined in memory.

use corespun_http2::Config as Http2Config;
use corespun_server::{Config, PlainRequest, PlainResponse, Routes};

use crate::support::{Answer, Pair};

const GET: &[(&str, &str)] = &[(":method", "GET"), ("content-type", ""), ("te", "")];
const HEAD: &[(&str, &str)] = &[(":method", "HEAD"), ("content-type", ""), ("te", "")];
const POST: &[(&str, &str)] = &[("content-type", "text/plain"), ("te", "")];

fn answer(request: &PlainRequest<'_>) -> PlainResponse {
    match request.path() {
        "/" => PlainResponse::new(200, "hello\n").header("content-type", "text/plain"),
        "/echo" => PlainResponse::new(200, request.body().to_vec()),
        "/large" => PlainResponse::new(200, vec![7; 300_000]),
        "/empty" => PlainResponse::new(204, "never seen"),
        "/panic" => panic!("asked to"),
        "/unlawful" => PlainResponse::new(200, "x").header("Connection", "close"),
        "/request" => {
            let accept = request.header("accept").unwrap_or(b"none");
            let text = format!(
                "{} {:?} {} {}",
                request.method(),
                request.query(),
                String::from_utf8_lossy(accept),
                request.peer().unwrap_or("nobody"),
            );
            PlainResponse::new(200, text)
        }
        path => PlainResponse::new(404, format!("no {path}")),
    }
}

fn pair() -> Pair {
    let mut routes = Routes::new();
    routes.plain(answer);
    let config = Config {
        plain_body_bytes_max: 10,
        ..Config::default()
    };
    Pair::with(routes, config, Http2Config::client())
}

/// Sends a request with a body of any length; an empty body ends the stream with its head.
fn ask<'p>(pair: &'p mut Pair, path: &str, head: &[(&str, &str)], body: &[u8]) -> &'p Answer {
    let stream = pair.open(path, head, body.is_empty());
    if !body.is_empty() {
        pair.client.send_data(stream, body, true);
    }
    pair.exchange();
    &pair.answers[&stream.id]
}

fn check(answer: &Answer, status: &str, body: &str) {
    assert_eq!(answer.field(":status"), Some(status), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), body);
    assert!(answer.ended && answer.trailers.is_empty(), "{answer:?}");
}

#[test]
fn paths_are_answered_by_the_handler() {
    let mut pair = pair();
    // Repeated, so that the head is first new to the connection and then recognised.
    for _ in 0..3 {
        let answer = ask(&mut pair, "/", GET, b"");
        check(answer, "200", "hello\n");
        assert_eq!(answer.field("content-type"), Some("text/plain"));
        assert_eq!(answer.field("content-length"), Some("6"));
        assert_eq!(answer.field("grpc-status"), None);
    }
    check(ask(&mut pair, "/nothing", GET, b""), "404", "no /nothing");
    check(
        ask(&mut pair, "/echo", POST, b"0123456789"),
        "200",
        "0123456789",
    );
    check(ask(&mut pair, "/echo", POST, b""), "200", "");
    let head = [GET, &[("accept", "text/html")]].concat();
    let answer = ask(&mut pair, "/request?a=b", &head, b"");
    check(answer, "200", "GET Some(\"a=b\") text/html 127.0.0.1:9");
}

#[test]
fn some_answers_have_no_body() {
    let mut pair = pair();
    let answer = ask(&mut pair, "/", HEAD, b"");
    check(answer, "200", "");
    assert_eq!(answer.field("content-length"), Some("6"));
    let answer = ask(&mut pair, "/empty", GET, b"");
    check(answer, "204", "");
    assert_eq!(answer.field("content-length"), None);
}

#[test]
fn an_answer_larger_than_the_windows_comes_whole() {
    let mut client = Http2Config::client();
    client.limits.stream_window_bytes = 1000;
    let mut routes = Routes::new();
    routes.plain(answer);
    let mut pair = Pair::with(routes, Config::default(), client);
    let answer = ask(&mut pair, "/large", GET, b"");
    assert_eq!(answer.body, vec![7; 300_000]);
    assert!(answer.ended);
}

#[test]
fn bodies_have_a_limit() {
    let mut pair = pair();
    let refused = "the request's body has more than 10 bytes\n";
    check(
        ask(&mut pair, "/echo", POST, b"0123456789a"),
        "413",
        refused,
    );
    // In pieces: refused with the first byte too many, whatever follows.
    let stream = pair.open("/echo", POST, false);
    pair.client.send_data(stream, b"0123456789", false);
    pair.exchange();
    assert!(!pair.answers.contains_key(&stream.id));
    pair.client.send_data(stream, b"a", false);
    pair.exchange();
    check(&pair.answers[&stream.id], "413", refused);
    // Announced: refused before any of it came.
    let announced = |length| [POST, &[("content-length", length)]].concat();
    let stream = pair.open("/echo", &announced("11"), false);
    pair.exchange();
    check(&pair.answers[&stream.id], "413", refused);
    let answer = ask(&mut pair, "/echo", &announced("10"), b"0123456789");
    check(answer, "200", "0123456789");
}

#[test]
fn faults_of_the_handler_end_their_request_only() {
    let mut pair = pair();
    check(
        ask(&mut pair, "/panic", GET, b""),
        "500",
        "the handler panicked\n",
    );
    check(
        ask(&mut pair, "/unlawful", GET, b""),
        "500",
        "the response violates HTTP\n",
    );
    check(ask(&mut pair, "/", GET, b""), "200", "hello\n");
}

#[test]
fn a_head_that_was_cut_is_not_handled() {
    let mut pair = pair();
    let long = "x".repeat(10_000);
    let head = [GET, &[("x-long", &long)]].concat();
    let refused = "the request's header list is too large\n";
    check(ask(&mut pair, "/", &head, b""), "431", refused);
    check(ask(&mut pair, "/", GET, b""), "200", "hello\n");
}

#[test]
fn a_body_that_is_given_up_leaves_nothing() {
    let mut pair = pair();
    let stream = pair.open("/echo", POST, false);
    pair.client.send_data(stream, b"01234", false);
    pair.exchange();
    pair.client.reset(stream, corespun_http2::ErrorCode::CANCEL);
    pair.exchange();
    assert!(!pair.answers.contains_key(&stream.id));
    check(ask(&mut pair, "/echo", POST, b"9"), "200", "9");
}

#[test]
fn a_host_beside_the_authority_agrees_with_it() {
    let mut pair = pair();
    let mut reset = |authority, host| {
        let head = [GET, &[(":authority", authority), ("host", host)]].concat();
        let answer = ask(&mut pair, "/", &head, b"");
        assert_eq!(answer.ended, answer.reset.is_none(), "{answer:?}");
        answer.reset
    };
    assert_eq!(reset("a.example", "A.example"), None);
    assert_eq!(reset("a.example", "a.example:80"), None);
    assert_eq!(reset("a.example:81", "a.example:81"), None);
    let malformed = Some(corespun_http2::ErrorCode::PROTOCOL_ERROR.0);
    assert_eq!(reset("a.example", "b.example"), malformed);
    assert_eq!(reset("a.example", "a.example:443"), malformed);
}

#[test]
fn values_of_plain_requests_have_no_blank_edges() {
    let mut pair = pair();
    let mut reset = |value| {
        let head = [GET, &[("x-a", value)]].concat();
        ask(&mut pair, "/", &head, b"").reset
    };
    let malformed = Some(corespun_http2::ErrorCode::PROTOCOL_ERROR.0);
    assert_eq!(reset("a b"), None);
    assert_eq!(reset(""), None);
    for value in [" a", "a ", "\ta", "a\t", " "] {
        assert_eq!(reset(value), malformed, "{value:?}");
    }
}

#[test]
fn calls_are_not_plain_requests() {
    let mut pair = pair();
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let stream = pair.open("/no.Service/Call", &[("content-type", content_type)], true);
        pair.exchange();
        let answer = &pair.answers[&stream.id];
        assert_eq!(answer.field("grpc-status"), Some("12"), "{answer:?}");
    }
    let answer = ask(
        &mut pair,
        "/",
        &[("content-type", "application/grpc-web")],
        b"",
    );
    check(answer, "200", "hello\n");
}

#[test]
fn without_a_handler_plain_requests_are_refused() {
    let mut pair = Pair::new(Routes::new());
    let status = |answer: &Answer| answer.field(":status").map(str::to_owned);
    assert_eq!(
        status(ask(&mut pair, "/", GET, b"")).as_deref(),
        Some("405")
    );
    assert_eq!(
        status(ask(&mut pair, "/", POST, b"")).as_deref(),
        Some("415")
    );
}
