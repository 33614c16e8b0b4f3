//! Exact responses to every kind of invalid request, row by row, over raw HTTP/2.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_runtime::{block_on, sleep};
use corespun_server::{Routes, Service};

use crate::support::{Answer, Pair};

const SAY: Method<String, String> = Method::new("/test.Codes/Say", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Codes/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Codes/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Codes/Chat", Kind::BidiStreaming);

struct Codes;

async fn chat(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    while let Some(text) = requests.message().await? {
        out.send(text).await?;
    }
    Ok(())
}

impl Service for Codes {
    const NAME: &'static str = "test.Codes";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async {
            Ok(Response::new(request.into_inner()))
        });
        routes.server_streaming(LIST, &service, |_, request: Request<String>, mut out| async move {
            out.send(request.into_inner()).await
        });
        routes.client_streaming(
            JOIN,
            &service,
            |_, mut requests: Streaming<String>| async move {
                let mut text = String::new();
                while let Some(part) = requests.message().await? {
                    text.push_str(&part);
                }
                Ok(Response::new(text))
            },
        );
        routes.bidi_streaming(CHAT, &service, |_, requests, out| chat(requests, out));
    }
}

fn with(test: impl AsyncFnOnce(&mut Pair)) {
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Codes);
        test(&mut Pair::new(routes)).await;
    })
    .unwrap();
}

/// Sends a head and a body, with or without END_STREAM, and waits for the end of the response.
async fn answer<'a>(
    pair: &'a mut Pair,
    path: &str,
    fields: &[(&str, &str)],
    body: Option<(&[u8], bool)>,
) -> &'a Answer {
    let stream = pair.open(path, fields, body.is_none());
    if let Some((bytes, end)) = body {
        pair.client.send_data(stream, bytes, end);
    }
    for _ in 0..1000 {
        pair.exchange();
        let answer = pair.answers.get(&stream.id);
        if answer.is_some_and(|answer| answer.ended || answer.reset.is_some()) {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    &pair.answers[&stream.id]
}

/// Message without text: five bytes of prefix, two of protobuf.
const EMPTY_TEXT: &[u8] = b"\0\0\0\0\x02\x0a\x00";

/// Paths without a handler, and the expected message: paths are case-sensitive, begin with a slash
/// and are split at the last one (gRPC over HTTP/2, "Path").
const PATHS: [(&str, &str); 7] = [
    ("/test.Codes/Nope", "unknown method Nope"),
    ("/test.codes/Say", "unknown service test.codes"),
    ("/test.Codes/say", "unknown method say"),
    ("/test.Codes/Say/", "unknown service test.Codes/Say"),
    ("test.Codes/Say", "malformed method path"),
    ("/", "unknown service"),
    ("/Say", "unknown service"),
];

/// Fields of a head: a name and a value.
type Fields = &'static [(&'static str, &'static str)];

/// Fields that make the server refuse a call, with the `:status` and the code of the response.
const REFUSED: [(&str, Code, Fields); 5] = [
    (
        "405",
        Code::Internal,
        &[(":method", "GET"), (":method", "PUT")],
    ),
    (
        "415",
        Code::Unknown,
        &[
            ("content-type", "text/html"),
            ("content-type", ""),
            ("content-type", "application/grpcfoo"),
            ("content-type", "application/grpc-web"),
        ],
    ),
    (
        "200",
        Code::Unimplemented,
        &[
            ("content-type", "application/grpc+json"),
            ("grpc-encoding", "br"),
            ("grpc-encoding", "GZIP"),
        ],
    ),
    (
        "400",
        Code::Internal,
        &[
            ("grpc-timeout", "123456789S"),
            ("grpc-timeout", "5"),
            ("grpc-timeout", "S"),
            ("grpc-timeout", "-1S"),
            ("grpc-timeout", "1h"),
            ("x-bin", "!"),
        ],
    ),
    (
        "200",
        Code::DeadlineExceeded,
        &[("grpc-timeout", "0m"), ("grpc-timeout", "0H")],
    ),
];

/// Unusual fields that are valid.
const ACCEPTED: Fields = &[
    ("content-type", "application/grpc;charset=utf-8"),
    ("content-type", "Application/GRPC+Proto"),
    ("te", ""),
    ("grpc-timeout", "99999999H"),
    ("grpc-encoding", "identity"),
    ("x-bin", "AAE=,AAE"),
    ("x-odd", "caf\u{e9}"),
    ("host", "a"),
];

/// Checks the response to a refused call: head and trailers in one block.
fn refused(answer: &Answer, http_status: &str, code: Code, words: &str) {
    let what = format!("{words}: {answer:?}");
    assert_eq!(answer.field(":status"), Some(http_status), "{what}");
    assert_eq!(answer.status().code(), code, "{what}");
    assert!(answer.status().message().contains(words), "{what}");
    assert!(
        answer.trailers.is_empty() && answer.body.is_empty(),
        "{what}"
    );
}

#[test]
fn heads() {
    const BODY: Option<(&[u8], bool)> = Some((EMPTY_TEXT, true));
    with(async |pair| {
        // Twice, because the header block is recognised instead of parsed the second time.
        for (path, words) in PATHS.into_iter().chain(PATHS) {
            let answer = answer(pair, path, &[], BODY).await;
            refused(answer, "200", Code::Unimplemented, words);
        }
        for (http_status, code, fields) in REFUSED.into_iter().chain(REFUSED) {
            for &(name, value) in fields {
                let answer = answer(pair, SAY.path(), &[(name, value)], BODY).await;
                let words = match code {
                    Code::DeadlineExceeded => "deadline",
                    _ if name == "x-bin" => name,
                    _ => value.rsplit('+').next().unwrap_or_default(),
                };
                refused(answer, http_status, code, words);
            }
        }
        // gRFC A41.
        let hosts = [("host", "a"), ("host", "b")];
        let answer_to_two = answer(pair, SAY.path(), &hosts, BODY).await;
        refused(answer_to_two, "400", Code::Internal, "several host");
        for field in ACCEPTED.iter().chain(ACCEPTED) {
            let answer = answer(pair, SAY.path(), &[*field], BODY).await;
            assert_eq!(answer.status().code(), Code::Ok, "{field:?} {answer:?}");
        }
    });
}

#[test]
fn heads_that_are_no_http_are_reset() {
    const PROTOCOL_ERROR: u32 = 1;
    let rows: [(&str, &str); 4] = [
        ("te", "gzip"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        (":authority", "b"),
    ];
    with(async |pair| {
        for (name, value) in rows {
            // A second `:authority` beside the one that stands for the first.
            let twice = [(name, value), (name, value)];
            let fields = if name == ":authority" {
                &twice[..]
            } else {
                &twice[..1]
            };
            let answer = answer(pair, SAY.path(), fields, Some((EMPTY_TEXT, true))).await;
            assert_eq!(answer.reset, Some(PROTOCOL_ERROR), "{name}: {value}");
        }
        let answer = answer(pair, SAY.path(), &[], Some((EMPTY_TEXT, true))).await;
        assert_eq!(answer.status().code(), Code::Ok, "the connection lives on");
    });
}

#[test]
fn bodies() {
    use Code::{Internal, Ok, ResourceExhausted, Unimplemented};
    /// Body, and the codes of the methods that take one message and that take any number.
    type Row = (Option<&'static [u8]>, Code, Code);
    let rows: [Row; 13] = [
        (None, Unimplemented, Ok),
        (Some(b""), Unimplemented, Ok),
        (Some(EMPTY_TEXT), Ok, Ok),
        // An empty body is a valid message too.
        (Some(b"\0\0\0\0\0"), Ok, Ok),
        (
            Some(b"\0\0\0\0\x02\x0a\x00\0\0\0\0\x02\x0a\x00"),
            Unimplemented,
            Ok,
        ),
        (Some(b"\0\0\0\0\0\0"), Unimplemented, Internal),
        (Some(b"\0"), Internal, Internal),
        (Some(b"\0\0\0\0"), Internal, Internal),
        (Some(b"\0\0\0\0\x09\x0a"), Internal, Internal),
        (Some(b"\x01\0\0\0\x02\x0a\x00"), Internal, Internal),
        (Some(b"\x02\0\0\0\x02\x0a\x00"), Internal, Internal),
        (Some(b"\0\0\0\0\x02\x0a\x09"), Internal, Internal),
        (
            Some(b"\0\x00\x40\x00\x01"),
            ResourceExhausted,
            ResourceExhausted,
        ),
    ];
    with(async |pair| {
        for (body, one, any) in rows {
            for method in [SAY, LIST, JOIN, CHAT] {
                let path = method.path();
                let expected = if method.kind().client_streams() {
                    any
                } else {
                    one
                };
                let body = body.map(|bytes| (bytes, true));
                let answer = answer(pair, path, &[], body).await;
                assert_eq!(
                    answer.status().code(),
                    expected,
                    "{path} {body:?} {answer:?}"
                );
            }
        }
    });
}

#[test]
fn an_answer_ahead_of_the_request_s_end_is_followed_by_a_reset() {
    const NO_ERROR: u32 = 0;
    with(async |pair| {
        for (path, body) in [
            ("/test.Codes/Nope", &b""[..]),
            (SAY.path(), b"\x05"),
            (SAY.path(), b"\0\xff\0\0\0"),
            (JOIN.path(), b"\x05\0\0\0\0"),
            (CHAT.path(), b"\0\0\0\0\x02\x0a\x09"),
        ] {
            let stream = pair.open(path, &[], false);
            pair.client.send_data(stream, body, false);
            for _ in 0..500 {
                pair.exchange();
                sleep(Duration::from_millis(1)).await;
                if pair
                    .answers
                    .get(&stream.id)
                    .is_some_and(|answer| answer.reset.is_some())
                {
                    break;
                }
                // An incomplete prefix may still become a valid one.
                pair.client.send_data(stream, b"\0\0\0\0", false);
            }
            let answer = &pair.answers[&stream.id];
            assert!(answer.ended, "{path} {body:?}: trailers come first");
            assert_ne!(answer.status().code(), Code::Ok);
            assert_eq!(answer.reset, Some(NO_ERROR), "{path} {body:?}");
        }
    });
}

#[test]
fn content_types_are_repeated() {
    with(async |pair| {
        for (sent, answered) in [
            ("application/grpc", "application/grpc"),
            ("application/grpc+proto", "application/grpc+proto"),
        ] {
            for path in [SAY.path(), LIST.path(), "/test.Codes/Nope"] {
                let fields = [("content-type", sent)];
                let answer = answer(pair, path, &fields, Some((EMPTY_TEXT, true))).await;
                assert_eq!(answer.field("content-type"), Some(answered), "{path}");
            }
        }
    });
}
