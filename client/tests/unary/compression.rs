//! Compressed requests and responses of unary calls.

use corespun_client::Config;
use corespun_codec::message::Framing;
use corespun_codec::{Code, Encoding, Encodings, Request, Status};
use corespun_http2::StreamKey;
use corespun_runtime::{block_on, spawn};

use crate::SAY;
use crate::support::{HEAD, Pair};

fn config(encoding: Encoding) -> Config {
    Config {
        encoding,
        accept_encodings: Encodings::only(encoding),
        ..Config::default()
    }
}

fn framed(encoding: Encoding, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let framing = Framing {
        encoding,
        bytes_max: usize::MAX,
    };
    framing.encode(&text.to_owned(), &mut out).unwrap();
    out
}

/// Runs one unary call of a client with `config`, answered by `script`; returns its outcome, and
/// the encoding fields of its request head.
fn answered(
    config: &Config,
    script: impl FnOnce(&mut Pair, StreamKey),
) -> (Result<String, Status>, Vec<(String, String)>) {
    let outcome = block_on(async {
        let (mut pair, channel) = Pair::with(100, config);
        let call = spawn(async move {
            let request = Request::new("hello ".repeat(100));
            let response = channel.unary(SAY, request).await;
            response.map(|response| response.into_inner())
        });
        let stream = pair.request().await;
        let mut fields = pair.fields.clone();
        fields.retain(|(name, _)| name.ends_with("-encoding"));
        script(&mut pair, stream);
        pair.settle().await;
        (call.await.unwrap(), fields)
    });
    outcome.unwrap()
}

#[test]
fn heads_speak_of_encodings_only_when_there_is_something_to_say() {
    let answer = |pair: &mut Pair, stream| pair.respond(stream, "yes");
    let (outcome, fields) = answered(&Config::default(), answer);
    assert_eq!((outcome.as_deref(), fields), (Ok("yes"), vec![]));
    let config = Config {
        accept_encodings: Encodings::ALL,
        ..config(Encoding::Gzip)
    };
    let (outcome, fields) = answered(&config, answer);
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = vec![
        field("grpc-accept-encoding", "identity,gzip,deflate,zstd"),
        field("grpc-encoding", "gzip"),
    ];
    assert_eq!((outcome.as_deref(), fields), (Ok("yes"), expected));
}

#[test]
fn responses_are_inflated_if_that_was_offered() {
    let text = "answer ".repeat(100);
    let answer = |encoding: &'static str, body: Vec<u8>| {
        move |pair: &mut Pair, stream| {
            pair.headers(
                stream,
                &[HEAD[0], HEAD[1], ("grpc-encoding", encoding)],
                false,
            );
            pair.server.send_data(stream, &body, false);
            pair.trailers(stream, "0");
        }
    };
    let small = Config {
        message_bytes_max: 100,
        ..config(Encoding::Gzip)
    };
    let gzip = framed(Encoding::Gzip, &text);
    let mut broken = gzip.clone();
    broken[20] ^= 0xff;
    for (config, encoding, body, expected) in [
        (config(Encoding::Gzip), "gzip", gzip.clone(), Ok(())),
        (
            config(Encoding::Gzip),
            "gzip",
            framed(Encoding::Identity, &text),
            Ok(()),
        ),
        (
            config(Encoding::Gzip),
            "identity",
            gzip.clone(),
            Err(Code::Internal),
        ),
        (
            config(Encoding::Gzip),
            "br",
            gzip.clone(),
            Err(Code::Internal),
        ),
        (
            config(Encoding::Zstd),
            "gzip",
            gzip.clone(),
            Err(Code::Internal),
        ),
        (Config::default(), "gzip", gzip.clone(), Err(Code::Internal)),
        (config(Encoding::Gzip), "gzip", broken, Err(Code::Internal)),
        (small, "gzip", gzip, Err(Code::ResourceExhausted)),
    ] {
        let (outcome, _) = answered(&config, answer(encoding, body));
        match expected {
            Ok(()) => assert_eq!(outcome.as_deref(), Ok(&*text)),
            Err(code) => assert_eq!(outcome.unwrap_err().code(), code, "{encoding} {config:?}"),
        }
    }
}
