//! Compressed messages in both directions: negotiation, choice by service, call and message,
//! limits.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::message::{Framing, PREFIX_BYTES};
use corespun_codec::{
    Code, Encoding, Encodings, Kind, Method, Request, Response, Sender, Status, Streaming, message,
};
use corespun_http2::Config as Http2Config;
use corespun_runtime::{block_on, sleep};
use corespun_server::{Config, Routes, Service};

use crate::support::Pair;

const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

const SAY: Method<String, String> = Method::new("/test.Echo/Say", Kind::Unary);
const LATER: Method<String, String> = Method::new("/test.Echo/Later", Kind::Unary);
const REPEAT: Method<String, String> = Method::new("/test.Echo/Repeat", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Echo/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Echo/Chat", Kind::BidiStreaming);

struct Echo;

/// Returns the text of the request, compressed as the text asks for.
fn said(text: String) -> Response<String> {
    let wished = ENCODINGS
        .into_iter()
        .find(|e| text.starts_with(&format!("as {e}")));
    let plain = text.starts_with("plain").then_some(Encoding::Identity);
    let mut response = Response::new(text);
    if let Some(encoding) = wished.or(plain) {
        response.set_encoding(encoding);
    }
    response
}

async fn repeat(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    let text = request.into_inner();
    if text.starts_with("as zstd") {
        assert!(out.set_encoding(Encoding::Zstd));
    }
    out.send(text.clone()).await?;
    assert!(!out.set_encoding(Encoding::Gzip), "the messages have begun");
    out.set_compression(false);
    out.send(text.clone()).await?;
    out.set_compression(true);
    out.send(text).await
}

async fn join(mut requests: Streaming<String>) -> Result<Response<String>, Status> {
    let mut text = String::new();
    while let Some(word) = requests.message().await? {
        text.push_str(&word);
    }
    Ok(said(text))
}

async fn chat(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    while let Some(text) = requests.message().await? {
        out.send(text).await?;
    }
    Ok(())
}

impl Service for Echo {
    const NAME: &'static str = "test.Echo";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async {
            Ok(said(request.into_inner()))
        });
        routes.unary(LATER, &service, |_, request: Request<String>| async {
            sleep(Duration::from_millis(1)).await;
            Ok(said(request.into_inner()))
        });
        routes.server_streaming(REPEAT, &service, |_, request, out| repeat(request, out));
        routes.client_streaming(JOIN, &service, |_, requests| join(requests));
        routes.bidi_streaming(CHAT, &service, |_, requests, out| chat(requests, out));
    }
}

/// Received message: true if it was compressed, and its text.
type Came = (bool, String);

/// Runs a call whose requests are compressed with `sent`; returns the `grpc-encoding`, messages and
/// code of the response.
async fn call(
    pair: &mut Pair,
    path: &str,
    fields: &[(&str, &str)],
    sent: Encoding,
    texts: &[&str],
) -> (Option<String>, Vec<Came>, Status) {
    let mut fields = fields.to_vec();
    if sent != Encoding::Identity {
        fields.push(("grpc-encoding", sent.name()));
    }
    let stream = pair.open(path, &fields, false);
    for (number, text) in texts.iter().enumerate() {
        let mut framed = Vec::new();
        framing(sent)
            .encode(&(*text).to_owned(), &mut framed)
            .unwrap();
        let is_last = number + 1 == texts.len();
        pair.client.send_data(stream, &framed, is_last);
    }
    for _ in 0..2000 {
        pair.exchange();
        if pair
            .answers
            .get(&stream.id)
            .is_some_and(|answer| answer.ended)
        {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    let answer = &pair.answers[&stream.id];
    assert!(answer.ended, "{path} {answer:?}");
    let encoding = answer.field("grpc-encoding").map(str::to_owned);
    let came = messages(&answer.body, encoding.as_deref());
    (encoding, came, answer.status())
}

fn framing(encoding: Encoding) -> Framing {
    Framing {
        encoding,
        bytes_max: 1 << 24,
    }
}

fn messages(mut body: &[u8], encoding: Option<&str>) -> Vec<Came> {
    let encoding = encoding.map_or(Encoding::Identity, |name| {
        Encoding::parse(name.as_bytes()).unwrap()
    });
    let mut came = Vec::new();
    while let Some((frame, rest)) = framing(encoding).split(body).unwrap() {
        let mut plain = Vec::new();
        let bytes = framing(encoding).open(frame, &mut plain).unwrap();
        came.push((frame.compressed, message::decode(bytes).unwrap()));
        body = rest;
    }
    assert!(body.is_empty());
    came
}

fn with(config: Config, test: impl AsyncFnOnce(Pair)) {
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Echo);
        test(Pair::with(routes, config, Http2Config::client())).await;
    })
    .unwrap();
}

fn compressing(encoding: Encoding) -> Config {
    Config {
        encoding,
        ..Config::default()
    }
}

#[test]
fn every_kind_in_every_encoding_both_ways() {
    for encoding in ENCODINGS {
        with(compressing(encoding), async |mut pair| {
            let accept = [("grpc-accept-encoding", encoding.name())];
            let long = "long ".repeat(2000);
            for method in [SAY, LATER, REPEAT, JOIN, CHAT] {
                let path = method.path();
                let (name, came, status) = call(&mut pair, path, &accept, encoding, &[&long]).await;
                assert_eq!(
                    (status.code(), name.as_deref()),
                    (Code::Ok, Some(encoding.name()))
                );
                assert_eq!(came[0], (true, long.clone()), "{path} {encoding}");
                if method.kind() == Kind::ServerStreaming {
                    let compressed: Vec<_> =
                        came.iter().map(|(compressed, _)| *compressed).collect();
                    assert_eq!(compressed, [true, false, true]);
                }
            }
            let parts = [&*long, "short", &*long];
            let (_, came, _) = call(&mut pair, CHAT.path(), &accept, encoding, &parts).await;
            let expected = parts.map(|text| (text.len() > 5, text.to_owned()));
            assert_eq!(came, expected);
        });
    }
}

#[test]
fn replies_go_as_server_service_and_handler_choose_and_the_caller_accepts() {
    let long = |start: &str| format!("{start} {}", "x".repeat(1000));
    let rows: [(Encoding, &str, &str, Option<&str>); 8] = [
        (Encoding::Identity, "gzip,zstd", "as the server does", None),
        (Encoding::Gzip, "", "the caller accepts nothing", None),
        (
            Encoding::Gzip,
            "deflate, zstd",
            "the caller accepts others",
            None,
        ),
        (
            Encoding::Gzip,
            "zstd,gzip",
            "as the server does",
            Some("gzip"),
        ),
        (Encoding::Gzip, "gzip,zstd", "as zstd", Some("zstd")),
        (Encoding::Gzip, "gzip", "as zstd", None),
        (Encoding::Identity, "deflate", "as deflate", Some("deflate")),
        (Encoding::Gzip, "gzip", "plain", None),
    ];
    for (server, accepted, text, expected) in rows {
        with(compressing(server), async |mut pair| {
            let accept = [("grpc-accept-encoding", accepted)];
            for method in [SAY, LATER, JOIN] {
                let text = long(text);
                let path = method.path();
                let plain = Encoding::Identity;
                let (name, came, _) = call(&mut pair, path, &accept, plain, &[&text]).await;
                assert_eq!(name.as_deref(), expected, "{path} {text}");
                assert_eq!(came, [(expected.is_some(), text)]);
            }
        });
    }
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Echo.compress(Encoding::Gzip).compress(Encoding::Zstd));
        let mut pair = Pair::new(routes);
        let accept = [("grpc-accept-encoding", "gzip,zstd")];
        let text = long("as the service does");
        let plain = Encoding::Identity;
        let (name, _, _) = call(&mut pair, SAY.path(), &accept, plain, &[&text]).await;
        assert_eq!(name.as_deref(), Some("zstd"), "the last word counts");
        let text = long("as zstd");
        let (name, _, _) = call(&mut pair, REPEAT.path(), &accept, plain, &[&text]).await;
        assert_eq!(name.as_deref(), Some("zstd"));
    })
    .unwrap();
}

#[test]
fn encodings_that_are_not_accepted_are_unimplemented() {
    let gzip_only = Config {
        accept_encodings: Encodings::only(Encoding::Gzip),
        ..Config::default()
    };
    for (config, refused, list) in [
        (Config::default(), "br", "identity,gzip,deflate,zstd"),
        (gzip_only, "zstd", "identity,gzip"),
    ] {
        with(config, async |mut pair| {
            for method in [SAY, REPEAT, JOIN, CHAT] {
                let fields = [("grpc-encoding", refused)];
                let stream = pair.open(method.path(), &fields, false);
                pair.send(stream, &"x".to_owned(), true);
                pair.exchange();
                let answer = &pair.answers[&stream.id];
                assert_eq!(answer.status().code(), Code::Unimplemented, "{answer:?}");
                assert_eq!(answer.field("grpc-accept-encoding"), Some(list));
                assert_eq!(answer.field(":status"), Some("200"));
            }
        });
    }
}

/// Returns a message of zeros, whose compressed size says little about its real one.
fn zeros(encoding: Encoding, length: usize) -> Vec<u8> {
    let mut framed = Vec::new();
    let text = String::from_utf8(vec![0; length]).unwrap();
    framing(encoding).encode(&text, &mut framed).unwrap();
    assert!(framed.len() < length / 20 + 100);
    framed
}

#[test]
fn the_limit_holds_for_what_a_message_inflates_to() {
    const LIMIT: usize = 64 << 10;
    let field_bytes = 4;
    for encoding in ENCODINGS {
        let config = Config {
            message_bytes_max: LIMIT,
            ..Config::default()
        };
        with(config, async |mut pair| {
            for (length, code) in [
                (LIMIT - field_bytes, Code::Ok),
                (LIMIT - field_bytes + 1, Code::ResourceExhausted),
                (8 << 20, Code::ResourceExhausted),
            ] {
                let framed = zeros(encoding, length);
                for method in [SAY, JOIN, CHAT] {
                    let fields = [("grpc-encoding", encoding.name())];
                    let stream = pair.open(method.path(), &fields, false);
                    pair.client.send_data(stream, &framed, true);
                    for _ in 0..200 {
                        pair.exchange();
                        sleep(Duration::from_millis(1)).await;
                        if pair
                            .answers
                            .get(&stream.id)
                            .is_some_and(|answer| answer.ended)
                        {
                            break;
                        }
                    }
                    let status = pair.answers[&stream.id].status();
                    assert_eq!(status.code(), code, "{encoding} {length}: {status}");
                }
            }
        });
    }
}

#[test]
fn broken_compression_is_internal() {
    let noise = |flag: u8| [&[flag, 0, 0, 0, 4][..], b"nope"].concat();
    let truncated = {
        let framed = zeros(Encoding::Gzip, 1000);
        let length = framed.len() - PREFIX_BYTES - 3;
        [
            &[1, 0, 0, 0, length as u8],
            &framed[PREFIX_BYTES..framed.len() - 3],
        ]
        .concat()
    };
    let rows: [(&str, Vec<u8>); 7] = [
        ("gzip", noise(1)),
        ("deflate", noise(1)),
        ("zstd", noise(1)),
        ("gzip", noise(2)),
        ("gzip", truncated),
        ("identity", noise(1)),
        ("", noise(1)),
    ];
    with(Config::default(), async |mut pair| {
        for (encoding, body) in &rows {
            for method in [SAY, REPEAT, JOIN, CHAT] {
                let stream = pair.open(method.path(), &[("grpc-encoding", encoding)], false);
                pair.client.send_data(stream, body, true);
                for _ in 0..200 {
                    pair.exchange();
                    if pair
                        .answers
                        .get(&stream.id)
                        .is_some_and(|answer| answer.ended)
                    {
                        break;
                    }
                    sleep(Duration::from_millis(1)).await;
                }
                let status = pair.answers[&stream.id].status();
                let path = method.path();
                assert_eq!(status.code(), Code::Internal, "{path} {encoding}: {status}");
            }
        }
    });
}

#[test]
fn messages_over_the_limit_to_send_end_their_call() {
    let config = || Config {
        send_bytes_max: 1000,
        ..Config::default()
    };
    let field_bytes = 3;
    for (length, code) in [
        (1000 - field_bytes, Code::Ok),
        (1001 - field_bytes, Code::ResourceExhausted),
    ] {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let config = Config {
                encoding,
                ..config()
            };
            with(config, async |mut pair| {
                let text = "x".repeat(length);
                let accept = [("grpc-accept-encoding", "gzip")];
                for method in [SAY, LATER, REPEAT, JOIN, CHAT] {
                    let path = method.path();
                    let plain = Encoding::Identity;
                    let (_, came, status) = call(&mut pair, path, &accept, plain, &[&text]).await;
                    assert_eq!(status.code(), code, "{path} {status}");
                    assert_eq!(came.is_empty(), code != Code::Ok, "{path}");
                }
            });
        }
    }
}
