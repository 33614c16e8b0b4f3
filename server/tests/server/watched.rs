//! Observers of calls and scopes around their handlers, in every kind of call.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::message::Framing;
use corespun_codec::{
    CallObserver, Encoding, Kind, MessageBytes, Method, Request, Response, Sender, Status,
    Streaming, message,
};
use corespun_http2::{Config as Http2Config, ErrorCode};
use corespun_runtime::{block_on, sleep, spawn};
use corespun_server::{
    Config, Incoming, Interceptor, Routes, Service, Surround, intercept_async, observe,
};

use crate::support::Pair;

const SAY: Method<String, String> = Method::new("/test.Fenced/Say", Kind::Unary);
const LATER: Method<String, String> = Method::new("/test.Fenced/Later", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Fenced/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Fenced/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Fenced/Chat", Kind::BidiStreaming);

thread_local! {
    /// Number of fences around the code that runs now.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Scope that counts itself around every poll.
struct Fence(Rc<Cell<usize>>);

impl Surround for Fence {
    fn enter(&self) {
        DEPTH.set(DEPTH.get() + 1);
        self.0.set(self.0.get() + 1);
    }

    fn leave(&self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Service whose handlers report the number of fences around them.
struct Fenced;

/// Reports the number of fences at once, after a wait, and in a task of its own.
async fn depths(text: &str) -> Result<String, Status> {
    let here = DEPTH.get();
    match text {
        "panic" => panic!("asked to"),
        "fail" => return Err(Status::aborted("asked to")),
        "hang" => pending().await,
        _ => {}
    }
    if text != "at once" {
        sleep(Duration::from_millis(2)).await;
        let beside = spawn(async { DEPTH.get() }).await.unwrap_or(99);
        return Ok(format!("{here} {} {beside}", DEPTH.get()));
    }
    Ok(here.to_string())
}

async fn say(request: Request<String>) -> Result<Response<String>, Status> {
    Ok(Response::new(depths(request.get_ref()).await?))
}

async fn last(requests: &mut Streaming<String>) -> Result<String, Status> {
    let mut text = String::new();
    while let Some(part) = requests.message().await? {
        text = part;
    }
    Ok(text)
}

impl Service for Fenced {
    const NAME: &'static str = "test.Fenced";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request| say(request));
        routes.unary(LATER, &service, |_, request: Request<String>| async {
            let text = request.into_inner();
            let mut response = Response::new(text.repeat(100));
            response.set_encoding(Encoding::Gzip);
            Ok(response)
        });
        routes.server_streaming(
            LIST,
            &service,
            |_, request: Request<String>, mut out: Sender<String>| async move {
                out.send("first".to_owned()).await?;
                out.send(depths(request.get_ref()).await?).await
            },
        );
        routes.client_streaming(JOIN, &service, |_, mut requests| async move {
            let text = last(&mut requests).await?;
            Ok(Response::new(depths(&text).await?))
        });
        routes.bidi_streaming(CHAT, &service, |_, mut requests, mut out| async move {
            let text = last(&mut requests).await?;
            out.send(depths(&text).await?).await
        });
    }
}

type Log = Rc<RefCell<Vec<String>>>;

/// Observer that logs its notifications.
struct Ear(Log);

impl Ear {
    fn write(&self, what: String) {
        self.0.borrow_mut().push(what);
    }
}

impl CallObserver for Ear {
    fn received(&self, message: MessageBytes) {
        self.write(format!("< {} {}", message.plain, message.wire));
    }

    fn sent(&self, message: MessageBytes) {
        self.write(format!("> {} {}", message.plain, message.wire));
    }

    fn ended(&self, outcome: Result<(), &Status>, _: Duration) {
        let code = outcome.err().map_or("OK".into(), |s| s.code().to_string());
        self.write(code);
    }
}

/// Runs a test against a server with these interceptors.
fn with(interceptors: Vec<Rc<dyn Interceptor>>, test: impl AsyncFnOnce(&mut Pair)) {
    block_on(async {
        let mut routes = Routes::intercepted(interceptors);
        routes.add(Fenced);
        let mut pair = Pair::with(routes, Config::default(), Http2Config::client());
        pair.clock = corespun_runtime::now;
        test(&mut pair).await;
    })
    .unwrap();
}

fn listening(log: &Log) -> Rc<dyn Interceptor> {
    let ear = Rc::new(Ear(Rc::clone(log)));
    Rc::new(observe(move |call: &Incoming| {
        let wanted = call.metadata().get("x-quiet").is_none();
        wanted.then(|| ear.clone() as _)
    }))
}

/// Returns an interceptor that makes the call a task.
fn waiting() -> Rc<dyn Interceptor> {
    Rc::new(intercept_async(async |_: &mut Incoming| {
        sleep(Duration::from_millis(1)).await;
        Ok(())
    }))
}

/// Waits for the end of a call; returns its first message.
async fn answer(pair: &mut Pair, id: u32) -> Option<String> {
    for _ in 0..500 {
        pair.exchange();
        let answer = pair.answers.get(&id);
        if let Some(answer) = answer.filter(|a| a.ended || a.reset.is_some()) {
            let (frame, _) = Framing::plain(1 << 20).split(&answer.body).ok()??;
            return message::decode(frame.bytes).ok();
        }
        sleep(Duration::from_millis(2)).await;
    }
    panic!("the call does not end");
}

async fn call(pair: &mut Pair, path: &str, messages: &[&str]) -> Option<String> {
    let stream = pair.open(path, &[], false);
    for (at, text) in messages.iter().enumerate() {
        let ends = at + 1 == messages.len();
        pair.send(stream, &(*text).to_owned(), ends);
    }
    answer(pair, stream.id).await
}

#[test]
fn messages_and_ends_are_heard() {
    // A string of n bytes, n below 128, makes a message of n + 2.
    let cases: [(&str, &[&str], &[&str]); 9] = [
        (SAY.path(), &["at once"], &["< 9 9", "> 3 3", "OK"]),
        (SAY.path(), &["x"], &["< 3 3", "> 7 7", "OK"]),
        (SAY.path(), &["fail"], &["< 6 6", "ABORTED"]),
        (SAY.path(), &["panic"], &["< 7 7", "UNKNOWN"]),
        (LIST.path(), &["x"], &["< 3 3", "> 7 7", "> 7 7", "OK"]),
        (LIST.path(), &["fail"], &["< 6 6", "> 7 7", "ABORTED"]),
        (
            JOIN.path(),
            &["xy", "x"],
            &["< 4 4", "< 3 3", "> 7 7", "OK"],
        ),
        (
            CHAT.path(),
            &["xy", "x"],
            &["< 4 4", "< 3 3", "> 7 7", "OK"],
        ),
        (CHAT.path(), &["", "panic"], &["< 0 0", "< 7 7", "UNKNOWN"]),
    ];
    for late in [false, true] {
        let log = Log::default();
        let mut interceptors = vec![listening(&log)];
        interceptors.extend(late.then(waiting));
        with(interceptors, async |pair| {
            for (path, messages, expected) in &cases {
                call(pair, path, messages).await;
                assert_eq!(log.take(), *expected, "{path} {messages:?} late: {late}");
            }
            let stream = pair.open(SAY.path(), &[("x-quiet", "1")], false);
            pair.send(stream, &"x".to_owned(), true);
            answer(pair, stream.id).await;
            assert_eq!(log.take(), [""; 0]);
        });
    }
}

#[test]
fn compressed_messages_have_two_sizes() {
    let log = Log::default();
    with(vec![listening(&log)], async |pair| {
        let gzip = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip")];
        let stream = pair.open(LATER.path(), &gzip, false);
        let framing = Framing {
            encoding: Encoding::Gzip,
            bytes_max: 1 << 20,
        };
        let mut framed = Vec::new();
        framing.encode(&"y".repeat(1000), &mut framed).unwrap();
        pair.client.send_data(stream, &framed, true);
        pair.exchange();
        let sent = pair.answers[&stream.id].body.len();
        let expected = [
            format!("< 1003 {}", framed.len() - message::PREFIX_BYTES),
            format!("> 100004 {}", sent - message::PREFIX_BYTES),
            "OK".to_owned(),
        ];
        assert_eq!(log.take(), expected);
        assert!(framed.len() < 100 && sent < 1000);
    });
}

#[test]
fn a_call_that_its_caller_gives_up_is_cancelled() {
    for path in [SAY.path(), LIST.path()] {
        let log = Log::default();
        with(vec![listening(&log)], async |pair| {
            let stream = pair.open(path, &[], false);
            pair.send(stream, &"hang".to_owned(), true);
            pair.exchange();
            sleep(Duration::from_millis(2)).await;
            pair.client.reset(stream, ErrorCode::CANCEL);
            pair.exchange();
            let heard = log.take();
            assert_eq!(heard.last().map(String::as_str), Some("CANCELLED"));
        });
    }
}

#[test]
fn a_handler_is_inside_and_nobody_else() {
    let polls = Rc::new(Cell::new(0));
    let fence = |polls: &Rc<Cell<usize>>| -> Rc<dyn Interceptor> {
        let polls = Rc::clone(polls);
        Rc::new(move |call: &mut Incoming| {
            call.surround(Rc::new(Fence(Rc::clone(&polls))));
            Ok(())
        })
    };
    for late in [false, true] {
        let mut interceptors = vec![fence(&polls), fence(&polls)];
        interceptors.extend(late.then(waiting));
        with(interceptors, async |pair| {
            for method in [SAY, LIST, JOIN, CHAT] {
                let path = method.path();
                let mut said = call(pair, path, &["x"]).await;
                if path == LIST.path() {
                    let stream = pair.answers.values().last();
                    let framing = Framing::plain(1 << 20);
                    let (_, rest) = framing.split(&stream.unwrap().body).unwrap().unwrap();
                    said = message::decode(&rest[message::PREFIX_BYTES..]).ok();
                }
                assert_eq!(said.as_deref(), Some("2 2 0"), "{path} late: {late}");
                assert_eq!(DEPTH.get(), 0);
            }
            assert_eq!(
                call(pair, SAY.path(), &["at once"]).await.as_deref(),
                Some("2")
            );
            assert_eq!(call(pair, SAY.path(), &["panic"]).await, None);
            assert_eq!(call(pair, CHAT.path(), &["panic"]).await, None);
            assert_eq!(DEPTH.get(), 0, "a panic leaves, too");
        });
    }
    assert!(polls.get() > 0);
}
