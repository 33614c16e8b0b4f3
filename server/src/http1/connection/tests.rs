//! HTTP/1.1 requests in memory, whole and byte by byte, with responses compared byte for byte.

use std::rc::Rc;

use corespun_codec::{Kind, Method, Request, Response, Sender, Status, message};
use corespun_runtime::{block_on, sleep};

use super::*;
use crate::Config;
use crate::plain::{PlainRequest, PlainResponse};
use crate::routes::Routes;
use crate::service::Service;
use crate::web::GrpcWeb;

const SAY: Method<String, String> = Method::new("/test.Web/Say", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Web/List", Kind::ServerStreaming);
const IDLE_MAX: Duration = Duration::from_secs(300);

struct Web;

impl Service for Web {
    const NAME: &'static str = "test.Web";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async move {
            match &**request.get_ref() {
                "wait" => sleep(Duration::from_secs(3600)).await,
                "panic" => panic!("asked to"),
                "yield" => sleep(Duration::from_millis(1)).await,
                _ => {}
            }
            Ok(Response::new(request.into_inner()))
        });
        routes.server_streaming(LIST, &service, |_, request, out| list(request, out));
    }
}

async fn list(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    for _ in 0..request.get_ref().len() {
        out.send("x".repeat(1000)).await?;
    }
    Err(Status::data_loss("all gone"))
}

fn plain(request: &PlainRequest<'_>) -> PlainResponse {
    match request.path() {
        "/healthz" => PlainResponse::new(200, "ok\n"),
        "/echo" => PlainResponse::new(200, request.body().to_vec()),
        "/large" => PlainResponse::new(200, vec![b'7'; 300_000]),
        "/head" => {
            let fields = request.headers().filter(|(name, _)| *name != b"host");
            let lines = fields.flat_map(|(name, value)| [name, b"=", value, b"\n"].concat());
            PlainResponse::new(200, lines.collect::<Vec<_>>())
        }
        _ => PlainResponse::new(404, ""),
    }
}

/// Feature that makes the server speak HTTP/1.1.
#[derive(Clone, Copy, Debug)]
enum Offer {
    /// Plain requests are answered, and gRPC-Web is served.
    Web,
    /// Plain requests are answered.
    Plain,
}

fn connection(offer: Offer, now: Duration) -> Http1 {
    let mut routes = Routes::new();
    routes.add(Web);
    routes.plain(plain);
    let web = GrpcWeb::new().allow_origin("https://a.example");
    let config = Config {
        grpc_web: matches!(offer, Offer::Web).then_some(web),
        ..Config::default()
    };
    let socket = SocketHandle::detached();
    let server = Connection::new(Rc::new(routes), &config, None, socket, now);
    Http1::new(server, "http", &config.http2, IDLE_MAX, socket, now)
}

/// HTTP/1.1 connection and its transmitted bytes.
struct Caller {
    http1: Http1,
    now: Duration,
    heard: Vec<u8>,
    closed: bool,
}

impl Caller {
    fn new() -> Self {
        Self::of(Offer::Web)
    }

    fn of(offer: Offer) -> Self {
        let now = Duration::from_secs(1);
        Self {
            http1: connection(offer, now),
            now,
            heard: Vec::new(),
            closed: false,
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if !self.closed {
            self.http1.receive(self.now, Input::Bytes(bytes.as_ref()));
            self.settle();
        }
    }

    fn transmit(&mut self) -> usize {
        let mut out = Vec::new();
        if !self.closed {
            self.closed = self.http1.transmit(&mut out) == Flow::Close;
        }
        self.heard.extend_from_slice(&out);
        out.len()
    }

    /// Runs the connection until it produces no more output.
    fn settle(&mut self) {
        while self.transmit() > 0 && !self.closed {
            self.http1.advance(self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.http1.advance(self.now);
        self.settle();
    }

    fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned()
    }
}

/// Checks the responses to a text that is sent whole, split in two at every position, and byte by
/// byte.
fn check(text: &str, expected: &str, closed: bool) {
    check_of(Offer::Web, text, expected, closed);
    check_of(Offer::Plain, text, expected, closed);
}

fn check_of(offer: Offer, text: &str, expected: &str, closed: bool) {
    let answers = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        block_on(async {
            let mut caller = Caller::of(offer);
            pieces.for_each(|piece| caller.send(piece));
            let heard = caller.heard();
            (heard, caller.closed)
        })
        .unwrap()
    };
    let expected = (expected.to_owned(), closed);
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(
            answers(&mut [one, two].into_iter()),
            expected,
            "{text:?} at {at}"
        );
    }
    assert_eq!(answers(&mut bytes.chunks(1)), expected, "{text:?}");
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
const GET: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn requests_are_answered_in_their_order() {
    check(GET, OK, false);
    check(&GET.repeat(3), &OK.repeat(3), false);
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\n";
    check(
        &format!("{post}content-length: 2\r\n\r\nhi{GET}"),
        &format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi{OK}"),
        false,
    );
    check(
        &format!("{post}transfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;x\r\ni\r\n0\r\n\r\n{GET}"),
        &format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi{OK}"),
        false,
    );
    check(
        "HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /x HTTP/1.1\r\nhost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\
         HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        false,
    );
}

#[test]
fn the_last_request_is_the_last() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";
    let get = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    check(&format!("{get}{GET}"), ok, true);
    check("GET /healthz HTTP/1.0\r\n\r\n", ok, true);
    let kept = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\nok\n";
    check(
        "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        kept,
        false,
    );
}

#[test]
fn a_refusal_ends_the_connection() {
    let why = "the request has both content-length and transfer-encoding\n";
    let len = why.len();
    let smuggled = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\
                    transfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    check(
        &format!("{GET}{smuggled}{GET}"),
        &format!(
            "{OK}HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: {len}\r\nconnection: close\r\n\r\n{why}"
        ),
        true,
    );
    let mut caller = Caller::new();
    caller.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\nabc");
    assert!(caller.heard().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert!(caller.closed);
}

/// Start of a request with a body; [`UNCLEAR_BODIES`] holds the rest.
const POST: &str = "POST /echo HTTP/1.1\r\nhost: a\r\n";

/// Bodies that another implementation might interpret differently, with the response status.
#[rustfmt::skip]
const UNCLEAR_BODIES: &[(&str, u16)] = &[
    ("content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ("content-length: 4\r\ncontent-length: 4\r\n\r\n", 400),
    ("content-length: 4\r\ncontent-length: 0\r\n\r\n", 400),
    ("content-length: 4, 4\r\n\r\n", 400),
    ("content-length: +4\r\n\r\n", 400),
    ("content-length: 0x4\r\n\r\n", 400),
    ("content-length:\r\n\r\n", 400),
    ("content-length : 4\r\n\r\n", 400),
    ("transfer-encoding: gzip, chunked\r\n\r\n", 501),
    ("transfer-encoding: identity\r\n\r\n", 501),
    ("transfer-encoding: xchunked\r\n\r\n", 501),
    ("transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n", 400),
    ("transfer-encoding:\x0bchunked\r\n\r\n", 400),
    ("transfer-encoding: chunked\r\n\r\n4\nGET \r\n", 400),
    ("transfer-encoding: chunked\r\n\r\n+0\r\n\r\n", 400),
    ("transfer-encoding: chunked\r\n\r\n0\n\n", 400),
];

/// Heads that another implementation might interpret differently, with the response status.
#[rustfmt::skip]
const UNCLEAR_HEADS: &[(&str, u16)] = &[
    ("POST /echo HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: b\r\n folded: c\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a\nx: b\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: b\0\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1\r\nhost: a@b\r\n\r\n", 400),
    ("GET http://a@b/healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET  /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET /healthz\tHTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET /healthz HTTP/1.1 \r\nhost: a\r\n\r\n", 400),
    ("GET /healthz HTTP/2.0\r\nhost: a\r\n\r\n", 505),
    ("GET /healthz\r\n\r\n", 400),
    ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 501),
];

#[test]
fn nothing_is_smuggled_behind_an_unclear_request() {
    let heads = UNCLEAR_HEADS.iter();
    let heads = heads.map(|(text, status)| (String::from(*text), status));
    let bodies = UNCLEAR_BODIES.iter();
    let bodies = bodies.map(|(text, status)| (format!("{POST}{text}"), status));
    let all: Vec<_> = heads.chain(bodies).collect();
    for offer in [Offer::Web, Offer::Plain] {
        for (text, status) in &all {
            let all = format!("{GET}{text}{GET}");
            for size in [1, 7, all.len()] {
                let mut caller = Caller::of(offer);
                for piece in all.as_bytes().chunks(size) {
                    caller.send(piece);
                }
                let heard = caller.heard();
                let shown = format!("{offer:?} {text:?} by {size}: {heard}");
                let rest = heard.strip_prefix(OK).expect(&shown);
                assert!(rest.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}");
                assert_eq!(rest.matches("\r\ncontent-length: ").count(), 1, "{shown}");
                assert!(rest.contains("\r\nconnection: close\r\n"), "{shown}");
                assert!(caller.closed, "{shown}");
            }
        }
    }
}

#[test]
fn who_speaks_no_http_hears_nothing() {
    check("INVALID CONNECTION PREFACE\r\n\r\n", "", true);
    check("\r\nEHLO a b\r\n\r\n", "", true);
}

#[test]
fn nothing_of_the_connection_reaches_handlers() {
    let mut caller = Caller::new();
    caller.send(
        "GET /head HTTP/1.1\r\nhost: a\r\nConnection: upgrade, x-a\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AA\r\nTE: gzip\r\nKeep-Alive: 5\r\nX-B: c\r\nCookie: d=e\r\n\r\n",
    );
    let heard = caller.heard();
    let (_, body) = heard.split_once("\r\n\r\n").unwrap();
    let expected = ":method=GET\n:scheme=http\n:path=/head\n:authority=a\nx-b=c\ncookie=d=e\n";
    assert_eq!(body, expected);
}

#[test]
fn leave_to_send_is_given_when_it_is_waited_for() {
    let mut caller = Caller::new();
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n";
    caller.send(format!("{post}content-length: 2\r\n\r\n"));
    assert_eq!(caller.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
    caller.send("hi");
    assert!(caller.heard().ends_with("\r\n\r\nhi"));
    // A client that gets this response instead may send the body or not, so no request can follow.
    caller.send(format!("{post}content-length: 2\r\n\r\n").replace("/echo", "/nothing"));
    assert_eq!(caller.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
    caller.send("hi");
    assert!(caller.heard().starts_with("HTTP/1.1 404 Not Found\r\n"));
    let unknown = call("/test.Web/Nope", "hello", "expect: 100-continue\r\n");
    caller.send(unknown);
    assert!(caller.heard().contains("connection: close\r\n"));
    assert!(caller.closed);
    // A body that is not needed is neither requested nor awaited.
    let mut caller = Caller::new();
    caller.send(format!("{post}content-length: 70000\r\n\r\n"));
    let heard = caller.heard();
    assert!(
        heard.starts_with("HTTP/1.1 413 Content Too Large\r\n"),
        "{heard}"
    );
    assert!(heard.contains("connection: close\r\n"), "{heard}");
    assert!(caller.closed);
}

#[test]
fn who_is_slow_or_idle_is_let_go() {
    let head_max = corespun_http2::Limits::default().header_block_time_max;
    let instant = Duration::from_millis(1);
    let mut silent = Caller::new();
    silent.pass(head_max - instant);
    assert!(!silent.closed);
    silent.pass(instant);
    assert_eq!((silent.heard().as_str(), silent.closed), ("", true));
    let mut slow = Caller::new();
    slow.send(GET);
    slow.heard();
    slow.pass(IDLE_MAX - instant);
    slow.send("GET");
    slow.pass(head_max - instant);
    assert!(!slow.closed, "a head has its time from its first byte on");
    slow.pass(instant);
    assert!(slow.heard().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert!(slow.closed);
    let mut idle = Caller::new();
    idle.send(GET);
    idle.heard();
    idle.pass(IDLE_MAX);
    assert_eq!((idle.heard().as_str(), idle.closed), ("", true));
}

/// Builds a call by a page of the allowed origin.
fn call(path: &str, text: &str, more: &str) -> Vec<u8> {
    let mut body = Vec::new();
    message::encode(&text.to_owned(), &mut body).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\norigin: https://a.example\r\n\
         content-type: application/grpc-web+proto\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n\
     access-control-allow-origin: https://a.example\r\n\
     access-control-expose-headers: grpc-status, grpc-message, grpc-status-details-bin\r\n\
     vary: origin\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
const TRAILERS: &str = "15\r\n\u{fffd}\0\0\0\u{10}grpc-status: 0\r\n\r\n0\r\n\r\n";

#[test]
fn calls_of_pages_end_in_their_body() {
    block_on(async {
        let mut caller = Caller::new();
        for _ in 0..2 {
            caller.send(call("/test.Web/Say", "hello", ""));
            let message = "c\r\n\0\0\0\0\u{7}\n\u{5}hello\r\n";
            assert_eq!(
                caller.heard(),
                format!("{HEAD}{CHUNKED}{message}{TRAILERS}")
            );
        }
        caller.send(call("/test.Web/Nope", "", ""));
        let heard = caller.heard();
        assert!(heard.contains("grpc-status: 12\r\n"), "{heard}");
        assert!(heard.ends_with("content-length: 0\r\n\r\n"), "{heard}");
        caller.send(call("/test.Web/Say", "panic", ""));
        let heard = caller.heard();
        assert!(heard.contains("grpc-status: 2\r\n"), "{heard}");
        assert!(!caller.closed);
    })
    .unwrap();
}

#[test]
fn native_calls_are_told_what_they_need() {
    let mut caller = Caller::new();
    let text = "POST /test.Web/Say HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n";
    caller.send(text);
    let heard = caller.heard();
    assert!(
        heard.starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\n"),
        "{heard}"
    );
}

/// Waits for a task of the connection, without a socket to wake it.
async fn until(caller: &mut Caller, enough: impl Fn(&Caller) -> bool) {
    for _ in 0..5000 {
        if enough(caller) {
            return;
        }
        sleep(Duration::from_millis(1)).await;
        caller.http1.advance(caller.now);
        caller.settle();
    }
}

#[test]
fn what_waits_is_answered_in_order_too() {
    block_on(async {
        let mut caller = Caller::new();
        let both = [call("/test.Web/Say", "yield", ""), GET.into()].concat();
        caller.send(both);
        assert_eq!(caller.heard(), "");
        until(&mut caller, |caller| caller.heard.ends_with(OK.as_bytes())).await;
        let heard = caller.heard();
        assert!(heard.starts_with(HEAD) && heard.ends_with(OK), "{heard}");
    })
    .unwrap();
}

#[test]
fn deadlines_hold() {
    block_on(async {
        let mut caller = Caller::new();
        caller.now = corespun_runtime::now();
        caller.send(call("/test.Web/Say", "wait", "grpc-timeout: 20m\r\n"));
        until(&mut caller, |caller| !caller.heard.is_empty()).await;
        let heard = caller.heard();
        assert!(heard.contains("grpc-status: 4\r\n"), "{heard}");
    })
    .unwrap();
}

#[test]
fn who_does_not_read_is_not_written_to() {
    block_on(async {
        let mut caller = Caller::new();
        caller.http1.receive(
            caller.now,
            Input::Bytes(&call("/test.Web/List", &"x".repeat(2000), "")),
        );
        for _ in 0..100 {
            sleep(Duration::from_millis(1)).await;
            caller.http1.advance(caller.now);
        }
        let kept = caller.http1.output.len();
        assert!(kept > 100_000, "the stream has begun: {kept}");
        assert!(
            kept < 400_000,
            "what is not read stays with its handler: {kept}"
        );
        until(&mut caller, |caller| {
            caller.heard.ends_with(b"\r\n0\r\n\r\n")
        })
        .await;
        assert!(caller.heard.len() > 2_000_000);
        let heard = caller.heard();
        assert!(heard.contains("grpc-status: 15\r\ngrpc-message: all gone\r\n"));
    })
    .unwrap();
}

#[test]
fn a_drain_answers_the_request_whose_head_is_coming() {
    let head_max = corespun_http2::Limits::default().header_block_time_max;
    for at in 1..GET.len() {
        let mut caller = Caller::of(Offer::Plain);
        caller.send(&GET[..at]);
        caller.http1.drain(caller.now);
        caller.settle();
        assert!(!caller.closed, "at {at}");
        caller.send(GET[at..].repeat(2));
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";
        assert_eq!((caller.heard().as_str(), caller.closed), (ok, true));
    }
    let mut slow = Caller::of(Offer::Plain);
    slow.send("GET");
    slow.http1.drain(slow.now);
    slow.pass(head_max);
    assert!(slow.heard().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert!(slow.closed);
}

#[test]
fn a_drain_waits_for_the_request_under_way() {
    block_on(async {
        let mut idle = Caller::new();
        idle.http1.drain(idle.now);
        idle.settle();
        assert!(idle.closed);
        let mut caller = Caller::new();
        caller.send(call("/test.Web/Say", "yield", ""));
        caller.http1.drain(caller.now);
        caller.settle();
        assert!(!caller.closed);
        until(&mut caller, |caller| caller.closed).await;
        let heard = caller.heard();
        assert!(heard.contains("connection: close\r\n"), "{heard}");
        assert!(heard.contains("grpc-status: 0\r\n"), "{heard}");
    })
    .unwrap();
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let mut caller = Caller::new();
    caller.send(GET);
    let Http1 { input, output, .. } = &caller.http1;
    assert_eq!((input.capacity(), output.capacity()), (0, 0));
}

#[test]
fn more_requests_than_are_answered_wait_outside() {
    let mut caller = Caller::new();
    let large = "GET /large HTTP/1.1\r\nhost: a\r\n\r\n";
    let all = large.repeat(20);
    caller
        .http1
        .receive(caller.now, Input::Bytes(all.as_bytes()));
    assert!(
        caller.http1.output.len() < 1_000_000,
        "{}",
        caller.http1.output.len()
    );
    caller.settle();
    assert_eq!(caller.heard().matches("HTTP/1.1 200 OK").count(), 20);
}

#[test]
fn receiving_pauses_for_who_asks_ahead() {
    block_on(async {
        let mut caller = Caller::new();
        caller.send(call("/test.Web/Say", "wait", ""));
        let ahead = GET.repeat(PIPELINED_BYTES_HIGH / GET.len());
        caller.send(&ahead);
        assert!(!caller.http1.has_backlog());
        caller.send(GET);
        caller.send(GET);
        assert!(caller.http1.has_backlog());
    })
    .unwrap();
}

#[test]
fn a_short_body_that_nobody_wants_is_read_past() {
    let unknown = call("/test.Web/Nope", "hello", "");
    for at in 0..unknown.len() {
        let mut caller = Caller::new();
        caller.send(&unknown[..at]);
        caller.send(&unknown[at..]);
        let heard = caller.heard();
        assert!(heard.contains("grpc-status: 12\r\n"), "{heard}");
        caller.send(GET);
        assert_eq!(caller.heard(), OK, "at {at}");
    }
    let mut slow = Caller::new();
    slow.send(&unknown[..unknown.len() - 1]);
    slow.heard();
    slow.pass(corespun_http2::Limits::default().header_block_time_max);
    assert_eq!((slow.heard().as_str(), slow.closed), ("", true));
}

#[test]
fn nothing_that_is_said_does_harm() {
    let smuggled = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                    5;x=y\r\nhello\r\n0\r\nz: 1\r\n\r\n";
    let said = [
        &call("/test.Web/Say", "hello", "")[..],
        smuggled.as_bytes(),
        GET.as_bytes(),
    ];
    let said = said.concat();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    block_on(async {
        for round in 0..3000 {
            let mut bytes = said.clone();
            for _ in 0..=draw(4) {
                let at = draw(bytes.len());
                match draw(4) {
                    0 => bytes[at] = draw(256) as u8,
                    1 if bytes.len() > 1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b"\r\n :;,\0\xff0"[draw(9)]),
                    _ => bytes.truncate(at + 1),
                }
            }
            let mut caller = Caller::new();
            for piece in bytes.chunks(1 + draw(bytes.len())) {
                caller.send(piece);
            }
            let heard = caller.heard();
            let is_lawful = heard.is_empty() || heard.starts_with("HTTP/1.1 ");
            assert!(is_lawful, "round {round}: {heard}");
        }
    })
    .unwrap();
}
