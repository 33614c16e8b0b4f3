//! gRPC-Web calls over HTTP/2, joined in memory, with responses compared byte for byte.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming, message};
use corespun_http2::{Config as Http2Config, StreamKey};
use corespun_runtime::{block_on, sleep};
use corespun_server::{Config, Ended, GrpcWeb, Interceptor, Routes, Service};

use crate::support::{Answer, Pair};

const SAY: Method<String, String> = Method::new("/test.Web/Say", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Web/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Web/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Web/Chat", Kind::BidiStreaming);

struct Web;

impl Service for Web {
    const NAME: &'static str = "test.Web";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| say(request));
        routes.server_streaming(LIST, &service, |_, request, out| list(request, out));
        routes.client_streaming(JOIN, &service, |_, requests| join(requests));
        routes.bidi_streaming(CHAT, &service, |_, requests, out| chat(requests, out));
    }
}

async fn say(request: Request<String>) -> Result<Response<String>, Status> {
    match &**request.get_ref() {
        "fail" => return Err(Status::with_details(Code::Aborted, "päng", &b"\0\x01"[..])),
        "panic" => panic!("asked to"),
        "later" => sleep(Duration::from_millis(1)).await,
        _ => {}
    }
    let team = request.metadata().get("x-team").map(str::to_owned);
    let mut response = Response::new(request.into_inner());
    if let Some(team) = team {
        response.metadata_mut().append("x-team", &team).unwrap();
        response.trailers_mut().append("x-end", &team).unwrap();
    }
    Ok(response)
}

async fn list(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    for part in request.get_ref().split(' ') {
        if part == "fail" {
            return Err(Status::data_loss("midway"));
        }
        out.send(part.to_owned()).await?;
    }
    Ok(())
}

async fn join(mut requests: Streaming<String>) -> Result<Response<String>, Status> {
    let mut text = String::new();
    while let Some(part) = requests.message().await? {
        text.push_str(&part);
    }
    Ok(Response::new(text))
}

async fn chat(mut requests: Streaming<String>, mut out: Sender<String>) -> Result<(), Status> {
    while let Some(text) = requests.message().await? {
        out.send(text).await?;
    }
    Ok(())
}

fn pair(web: Option<GrpcWeb>, routes: Routes) -> Pair {
    let config = Config {
        grpc_web: web,
        ..Config::default()
    };
    Pair::with(routes, config, Http2Config::client())
}

fn with(test: impl AsyncFnOnce(&mut Pair)) {
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Web);
        let web = GrpcWeb::new().allow_origin("https://a.example");
        test(&mut pair(Some(web), routes)).await;
    })
    .unwrap();
}

const BINARY: &[(&str, &str)] = &[("te", ""), ("content-type", "application/grpc-web+proto")];
const TEXT: &[(&str, &str)] = &[("te", ""), ("content-type", "application/grpc-web-text")];

fn framed(text: &str) -> Vec<u8> {
    let mut framed = Vec::new();
    message::encode(&text.to_owned(), &mut framed).unwrap();
    framed
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*group.get(at).unwrap_or(&0))
        });
        [18, 12, 6, 0].map(|shift| DIGITS[bits >> shift & 63])
    };
    let groups = bytes.chunks(3).flat_map(|part| {
        let mut digits = group(part);
        digits[part.len() + 1..].fill(b'=');
        digits
    });
    groups.collect()
}

fn unbase64(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let groups = text.chunks(4).flat_map(|group| {
        let len = group.iter().take_while(|byte| **byte != b'=').count();
        let bits = group[..len]
            .iter()
            .fold(0u32, |bits, byte| bits << 6 | u32::from(digit(byte)));
        let bits = bits << (6 * (4 - len));
        bits.to_be_bytes()[1..len].to_vec()
    });
    groups.collect()
}

/// Sends a head and a body in pieces, each in its own turn, and waits for the end.
async fn answer<'a>(
    pair: &'a mut Pair,
    path: &str,
    fields: &[(&str, &str)],
    pieces: impl Iterator<Item = &[u8]>,
) -> &'a Answer {
    let stream = pair.open(path, fields, false);
    for piece in pieces {
        pair.client.send_data(stream, piece, false);
        pair.exchange();
    }
    pair.client.send_data(stream, b"", true);
    settled(pair, stream).await
}

async fn settled(pair: &mut Pair, stream: StreamKey) -> &Answer {
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

async fn call<'a>(
    pair: &'a mut Pair,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> &'a Answer {
    answer(pair, path, fields, std::iter::once(body)).await
}

/// Splits a body into its messages and the lines of its trailers.
fn read(mut body: &[u8]) -> (Vec<String>, Option<String>) {
    let (mut messages, mut trailers) = (Vec::new(), None);
    while let Some((prefix, rest)) = body.split_first_chunk::<5>() {
        assert_eq!(trailers, None, "trailers are the last");
        let len = u32::from_be_bytes(prefix[1..].try_into().unwrap());
        let (frame, rest) = rest.split_at(len as usize);
        match prefix[0] {
            0 => messages.push(message::decode(frame).unwrap()),
            0x80 => trailers = Some(String::from_utf8(frame.to_vec()).unwrap()),
            flag => panic!("a frame of kind {flag}"),
        }
        body = rest;
    }
    assert_eq!(body, b"");
    (messages, trailers)
}

const GOOD: &str = "grpc-status: 0\r\n";

#[test]
fn all_kinds_of_calls_end_in_their_body() {
    with(async |pair| {
        for (method, sent, expected, trailers) in [
            ("Say", &["hello"][..], &["hello"][..], GOOD),
            ("Say", &["later"], &["later"], GOOD),
            ("Say", &[""], &[""], GOOD),
            ("List", &["a b c"], &["a", "b", "c"], GOOD),
            (
                "List",
                &["a fail"],
                &["a"],
                "grpc-status: 15\r\ngrpc-message: midway\r\n",
            ),
            ("Join", &["a", "b"], &["ab"], GOOD),
            ("Chat", &["a", "b"], &["a", "b"], GOOD),
            ("Chat", &[], &[], GOOD),
        ] {
            let path = format!("/test.Web/{method}");
            let body: Vec<u8> = sent.iter().flat_map(|text| framed(text)).collect();
            let found = call(pair, &path, BINARY, &body).await;
            assert_eq!(
                found.field("content-type"),
                Some("application/grpc-web+proto")
            );
            assert_eq!(
                (found.field(":status"), &*found.trailers),
                (Some("200"), &[][..])
            );
            let expected = expected.iter().map(|text| (*text).to_owned()).collect();
            let expected = (expected, Some(trailers.to_owned()));
            assert_eq!(read(&found.body), expected, "{method} {sent:?}");
            let text = base64(&body);
            let found = call(pair, &path, TEXT, &text).await;
            assert_eq!(
                found.field("content-type"),
                Some("application/grpc-web-text")
            );
            assert_eq!(read(&unbase64(&found.body)), expected, "{method} {sent:?}");
            let found = answer(pair, &path, TEXT, text.chunks(1)).await;
            assert_eq!(read(&unbase64(&found.body)), expected, "{method} {sent:?}");
        }
    });
}

#[test]
fn errors_before_a_message_are_heads_alone() {
    with(async |pair| {
        let found = call(pair, "/test.Web/Say", BINARY, &framed("fail")).await;
        let fields = [
            (":status", "200"),
            ("content-type", "application/grpc-web+proto"),
            ("grpc-status", "10"),
            ("grpc-message", "p%C3%A4ng"),
            ("grpc-status-details-bin", "AAE"),
            ("vary", "origin"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found.head, fields);
        assert_eq!((found.ended, &*found.body), (true, &[][..]));
        let found = call(pair, "/test.Web/Say", TEXT, &base64(&framed("panic"))).await;
        assert_eq!(
            found.field("content-type"),
            Some("application/grpc-web-text")
        );
        assert_eq!(found.status().code(), Code::Unknown);
    });
}

/// Content type, path, body, and the expected HTTP status and gRPC code.
type Row = (
    &'static str,
    Method<String, String>,
    &'static [u8],
    &'static str,
    Code,
);

/// Framed message whose text is `hello`.
const HELLO: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";
const NOPE: Method<String, String> = Method::new("/test.Web/Nope", Kind::Unary);
const NO_SUCH: Method<String, String> = Method::new("/no.Such/Say", Kind::Unary);

const PLAIN: &str = "application/grpc-web";
const ENCODED: &str = "application/grpc-web-text";

#[rustfmt::skip]
const BAD: [Row; 14] = [
    ("application/grpc-webs", SAY, HELLO, "415", Code::Unknown),
    ("application/grpc-web+json", SAY, HELLO, "200", Code::Unimplemented),
    ("application/grpc-web-text+thrift", SAY, HELLO, "200", Code::Unimplemented),
    (PLAIN, NOPE, HELLO, "200", Code::Unimplemented),
    (PLAIN, NO_SUCH, HELLO, "200", Code::Unimplemented),
    (PLAIN, SAY, b"", "200", Code::Unimplemented),
    (PLAIN, SAY, b"\x80\0\0\0\0", "200", Code::Internal),
    (PLAIN, SAY, b"\0\0\0\0\x07\x0a\x05", "200", Code::Internal),
    (PLAIN, SAY, b"\0\xff\0\0\0", "200", Code::ResourceExhausted),
    (ENCODED, SAY, b"no base64!", "200", Code::Internal),
    (ENCODED, SAY, b"AAAAAAcKBWhlbGx", "200", Code::Internal),
    (ENCODED, CHAT, b"A===", "200", Code::Internal),
    (ENCODED, CHAT, b"AAA", "200", Code::Internal),
    (ENCODED, JOIN, b"\xff\xff\xff\xff", "200", Code::Internal),
];

#[test]
fn bad_requests_get_the_exact_answer() {
    with(async |pair| {
        for (content_type, method, body, http, code) in BAD {
            let fields = [("te", ""), ("content-type", content_type)];
            let found = call(pair, method.path(), &fields, body).await;
            let shown = format!("{content_type} {} {found:?}", method.path());
            assert_eq!(found.field(":status"), Some(http), "{shown}");
            assert_eq!(found.status().code(), code, "{shown}");
        }
        for (field, http, code) in [
            ((":method", "PUT"), "405", Code::Internal),
            (("grpc-timeout", "0n"), "200", Code::DeadlineExceeded),
            (("grpc-timeout", "soon"), "400", Code::Internal),
        ] {
            let fields = [BINARY, &[field]].concat();
            let found = call(pair, SAY.path(), &fields, HELLO).await;
            assert_eq!(found.field(":status"), Some(http), "{field:?}");
            assert_eq!(found.status().code(), code, "{field:?}");
        }
    });
}

#[test]
fn browsers_are_let_in_by_origin() {
    with(async |pair| {
        let team = ("x-team", "red");
        let at = |origin| [BINARY, &[("origin", origin), team]].concat();
        let found = call(pair, SAY.path(), &at("https://a.example"), &framed("hi")).await;
        let names = "grpc-status, grpc-message, grpc-status-details-bin, x-team";
        assert_eq!(
            found.field("access-control-allow-origin"),
            Some("https://a.example")
        );
        assert_eq!(found.field("access-control-expose-headers"), Some(names));
        assert_eq!(found.field("vary"), Some("origin"));
        assert_eq!(found.field("x-team"), Some("red"));
        let (_, trailers) = read(&found.body);
        assert_eq!(
            trailers.as_deref(),
            Some("grpc-status: 0\r\nx-end: red\r\n")
        );
        let found = call(pair, SAY.path(), &at("https://b.example"), &framed("hi")).await;
        assert_eq!(found.field("access-control-allow-origin"), None);
        assert_eq!(found.field("access-control-expose-headers"), None);
        let ask = [
            (":method", "OPTIONS"),
            ("content-type", ""),
            ("te", ""),
            ("access-control-request-method", "POST"),
        ];
        for (origin, status) in [("https://a.example", "204"), ("https://b.example", "403")] {
            let stream = pair.open(
                SAY.path(),
                &[&ask[..], &[("origin", origin)]].concat(),
                true,
            );
            let found = settled(pair, stream).await;
            assert_eq!(found.field(":status"), Some(status));
            let allowed = found.field("access-control-allow-origin");
            assert_eq!(allowed, (status == "204").then_some(origin));
        }
    });
}

#[test]
fn native_calls_are_as_ever_beside_them() {
    with(async |pair| {
        for _ in 0..3 {
            call(pair, SAY.path(), TEXT, &base64(&framed("hello"))).await;
            let found = call(pair, SAY.path(), &[], &framed("hello")).await;
            assert_eq!(found.field("content-type"), Some("application/grpc"));
            assert_eq!(found.field("vary"), None);
            assert_eq!(found.status().code(), Code::Ok);
            assert_eq!(found.body, framed("hello"));
            assert!(!found.trailers.is_empty());
        }
    });
}

#[test]
fn it_is_off_unless_it_is_turned_on() {
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Web);
        let mut pair = pair(None, routes);
        let found = call(&mut pair, SAY.path(), BINARY, &framed("hello")).await;
        assert_eq!(found.field(":status"), Some("415"));
        let origin = [
            BINARY,
            &[(":method", "OPTIONS"), ("origin", "https://a.example")],
        ]
        .concat();
        let found = call(&mut pair, SAY.path(), &origin, b"").await;
        assert_eq!(found.field("access-control-allow-origin"), None);
    })
    .unwrap();
}

#[test]
fn bodies_larger_than_the_window_come_through() {
    with(async |pair| {
        // More than the windows of stream and connection, so that credit has to come back.
        let large = "x".repeat(4_000_000);
        for _ in 0..2 {
            let body = base64(&framed(&large));
            let found = answer(pair, SAY.path(), TEXT, body.chunks(99_991)).await;
            let (messages, trailers) = read(&unbase64(&found.body));
            assert!(messages.len() == 1 && messages[0] == large);
            assert_eq!(trailers.as_deref(), Some(GOOD));
        }
        let body: Vec<u8> = (0..40).flat_map(|_| framed(&large[..100_000])).collect();
        let found = answer(pair, JOIN.path(), TEXT, base64(&body).chunks(65_537)).await;
        assert_eq!(read(&unbase64(&found.body)).0[0].len(), 4_000_000);
    });
}

/// Records the codes of the ended calls that it is notified of.
struct Ends(Rc<std::cell::RefCell<Vec<Code>>>);

impl Interceptor for Ends {
    fn end(&self, ended: &Ended<'_>) {
        self.0.borrow_mut().push(ended.code());
    }
}

#[test]
fn interceptors_hear_of_these_calls_too() {
    block_on(async {
        let ends = Rc::default();
        let mut routes = Routes::intercepted(vec![Rc::new(Ends(Rc::clone(&ends)))]);
        routes.add(Web);
        let mut pair = pair(Some(GrpcWeb::new()), routes);
        for text in ["hello", "later", "fail"] {
            call(&mut pair, SAY.path(), BINARY, &framed(text)).await;
        }
        call(&mut pair, LIST.path(), TEXT, &base64(&framed("a fail"))).await;
        let expected = [Code::Ok, Code::Ok, Code::Aborted, Code::DataLoss];
        assert_eq!(*ends.borrow(), expected);
    })
    .unwrap();
}
