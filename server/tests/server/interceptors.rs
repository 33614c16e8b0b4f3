//! Interceptors in every kind of call: what they read, change, answer and observe.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming, message};
use corespun_http2::{Config as Http2Config, ErrorCode, StreamKey};
use corespun_runtime::{block_on, sleep};
use corespun_server::{
    Answer as Instead, Config, Ended, Incoming, Interceptor, Routes, Service, Step, Waiting,
    intercept_async,
};

use crate::support::{Answer, Pair};

const SAY: Method<String, String> = Method::new("/test.Seen/Say", Kind::Unary);
const LATER: Method<String, String> = Method::new("/test.Seen/Later", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Seen/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Seen/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Seen/Chat", Kind::BidiStreaming);
const METHODS: [Method<String, String>; 5] = [SAY, LATER, LIST, JOIN, CHAT];

/// Extension that an interceptor attaches to the request for the handler.
struct Note(String);

struct Seen;

async fn act(text: &str) -> Result<(), Status> {
    match text {
        "fail" => Err(Status::aborted("asked to")),
        "panic" => panic!("asked to"),
        "hang" => pending().await,
        _ => Ok(()),
    }
}

/// Formats the text, the note and the metadata that a handler received.
fn seen(text: &str, note: Option<&Note>, added: Option<&str>) -> String {
    let note = note.map_or("", |note| &note.0);
    format!("{text}|{note}|{}", added.unwrap_or_default())
}

async fn say(request: Request<String>) -> Result<Response<String>, Status> {
    act(request.get_ref()).await?;
    let (note, added) = (
        request.extensions().get(),
        request.metadata().get("x-added"),
    );
    Ok(Response::new(seen(request.get_ref(), note, added)))
}

async fn list(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    act(request.get_ref()).await?;
    let (note, added) = (
        request.extensions().get(),
        request.metadata().get("x-added"),
    );
    out.send(seen(request.get_ref(), note, added)).await
}

async fn gathered(requests: &mut Streaming<String>) -> Result<String, Status> {
    let mut text = String::new();
    while let Some(part) = requests.message().await? {
        text.push_str(&part);
    }
    act(&text).await?;
    let (note, added) = (
        requests.extensions().get(),
        requests.metadata().get("x-added"),
    );
    Ok(seen(&text, note, added))
}

impl Service for Seen {
    const NAME: &'static str = "test.Seen";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request| say(request));
        routes.unary(LATER, &service, |_, request| async {
            sleep(Duration::from_millis(2)).await;
            say(request).await
        });
        routes.server_streaming(LIST, &service, |_, request, out| list(request, out));
        routes.client_streaming(JOIN, &service, |_, mut requests| async move {
            gathered(&mut requests).await.map(Response::new)
        });
        routes.bidi_streaming(CHAT, &service, |_, mut requests, mut out| async move {
            let text = gathered(&mut requests).await?;
            out.send(text).await
        });
    }
}

type Log = Rc<RefCell<Vec<String>>>;

/// Action of an interceptor on a call.
type Ask = fn(&mut Incoming) -> Result<Step, Instead>;

/// Logs every call to it, and may perform one more action.
struct Logger {
    name: &'static str,
    log: Log,
    also: Ask,
}

impl Logger {
    fn write(&self, what: impl std::fmt::Display) {
        self.log.borrow_mut().push(format!("{} {what}", self.name));
    }
}

impl Interceptor for Logger {
    fn start(&self, call: &mut Incoming) -> Result<Step, Instead> {
        self.write("start");
        let (name, log) = (self.name, Rc::clone(&self.log));
        call.on_end(move |ended| {
            log.borrow_mut()
                .push(format!("{name} told {}", ended.code()))
        });
        (self.also)(call)
    }

    fn wait<'a>(&'a self, call: &'a mut Incoming) -> Waiting<'a> {
        Box::pin(async move {
            sleep(Duration::from_millis(2)).await;
            self.write("waited");
            match call.metadata().get("x-do") {
                Some("refuse late") => Err(Status::permission_denied("late").into()),
                Some("answer late") => Err(Instead::response(Response::new("late".to_owned()))),
                Some("panic late") => panic!("asked to"),
                Some("hang") => pending().await,
                _ => Ok(()),
            }
        })
    }

    fn end(&self, ended: &Ended<'_>) {
        assert_eq!(ended.method().split('/').nth(1), Some("test.Seen"));
        assert_eq!(ended.head().peer.as_deref(), Some("127.0.0.1:9"));
        self.write(format!("end {}", ended.code()));
    }
}

fn pass(_: &mut Incoming) -> Result<Step, Instead> {
    Ok(Step::Pass)
}

fn wait(_: &mut Incoming) -> Result<Step, Instead> {
    Ok(Step::Wait)
}

/// Performs the action that the client's metadata requests.
fn obey(call: &mut Incoming) -> Result<Step, Instead> {
    assert_eq!(call.request().peer(), Some("127.0.0.1:9"));
    match call.metadata().get("x-do") {
        Some("refuse") => {
            let mut status = Status::unauthenticated("who are you?");
            status.metadata_mut().append("x-why", "no name").unwrap();
            return Err(status.into());
        }
        Some("answer") => {
            let mut response = Response::new("instead".to_owned());
            response
                .metadata_mut()
                .append("x-from", "interceptor")
                .unwrap();
            return Err(Instead::response(response));
        }
        Some("panic") => panic!("asked to"),
        _ => {}
    }
    call.metadata_mut().append("x-added", "by obey").unwrap();
    call.extensions_mut().insert(Note("note".to_owned()));
    Ok(Step::Pass)
}

/// Runs a test against a server with the interceptors a and b, and c of the service.
fn with(also: [Ask; 3], test: impl AsyncFnOnce(&mut Pair, Log)) {
    block_on(async {
        let log = Log::default();
        let logger = |at: usize| Logger {
            name: ["a", "b", "c"][at],
            log: Rc::clone(&log),
            also: also[at],
        };
        let mut routes = Routes::intercepted(vec![Rc::new(logger(0)), Rc::new(logger(1))]);
        routes.add(Seen.intercept(logger(2)));
        let mut pair = Pair::with(routes, Config::default(), Http2Config::client());
        pair.clock = corespun_runtime::now;
        test(&mut pair, Rc::clone(&log)).await;
    })
    .unwrap();
}

fn start(pair: &mut Pair, path: &str, fields: &[(&str, &str)], text: &str) -> StreamKey {
    let stream = pair.open(path, fields, false);
    pair.send(stream, &text.to_owned(), true);
    stream
}

async fn until_ended(pair: &mut Pair, stream: StreamKey) -> &Answer {
    for _ in 0..2000 {
        pair.exchange();
        if pair
            .answers
            .get(&stream.id)
            .is_some_and(|answer| answer.ended)
        {
            return &pair.answers[&stream.id];
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("does not end: {:?}", pair.answers.get(&stream.id));
}

fn text(answer: &Answer) -> String {
    match message::whole(&answer.body) {
        Some(bytes) => message::decode(bytes).unwrap(),
        None => String::new(),
    }
}

/// Returns the expected log if all three interceptors ran, given the lines of `b`.
fn lines(b: &[&str], code: Code) -> Vec<String> {
    let ends = ["a told", "b told", "c told", "c end", "b end", "a end"];
    let starts = ["a start", "b start"].into_iter().chain(b.iter().copied());
    let starts = starts.chain(["c start"]).map(str::to_owned);
    starts
        .chain(ends.map(|end| format!("{end} {code}")))
        .collect()
}

#[test]
fn they_are_asked_in_order_and_told_in_reverse() {
    with([pass, obey, pass], async |pair, log| {
        for method in METHODS {
            for (said, code) in [
                ("hi", Code::Ok),
                ("fail", Code::Aborted),
                ("panic", Code::Unknown),
            ] {
                let stream = start(pair, method.path(), &[], said);
                let answer = until_ended(pair, stream).await;
                assert_eq!(answer.status().code(), code, "{} {said}", method.path());
                if code == Code::Ok {
                    assert_eq!(text(answer), "hi|note|by obey", "{}", method.path());
                }
                assert_eq!(log.take(), lines(&[], code), "{}", method.path());
            }
        }
    });
}

#[test]
fn one_that_waits_delays_those_behind_it_and_the_handler() {
    with([pass, wait, obey], async |pair, log| {
        for method in METHODS {
            for (said, code) in [
                ("hi", Code::Ok),
                ("fail", Code::Aborted),
                ("panic", Code::Unknown),
            ] {
                let stream = start(pair, method.path(), &[], said);
                let answer = until_ended(pair, stream).await;
                assert_eq!(answer.status().code(), code, "{} {said}", method.path());
                if code == Code::Ok {
                    assert_eq!(text(answer), "hi|note|by obey", "{}", method.path());
                }
                assert_eq!(log.take(), lines(&["b waited"], code), "{}", method.path());
            }
        }
    });
}

#[test]
fn they_answer_in_place_of_the_handler() {
    let rows: [(&str, Code, &str); 6] = [
        ("refuse", Code::Unauthenticated, ""),
        ("answer", Code::Ok, "instead"),
        ("panic", Code::Unknown, ""),
        ("refuse late", Code::PermissionDenied, ""),
        ("answer late", Code::Ok, "late"),
        ("panic late", Code::Unknown, ""),
    ];
    for late in [false, true] {
        with(
            [pass, if late { wait } else { obey }, pass],
            async |pair, log| {
                for method in METHODS {
                    for (act, code, expected) in rows {
                        if act.ends_with("late") != late {
                            continue;
                        }
                        let stream = start(pair, method.path(), &[("x-do", act)], "hi");
                        let answer = until_ended(pair, stream).await;
                        let what = format!("{} {act}: {answer:?}", method.path());
                        assert_eq!(
                            (answer.status().code(), &*text(answer)),
                            (code, expected),
                            "{what}"
                        );
                        assert_eq!(answer.field("x-why").is_some(), act == "refuse", "{what}");
                        assert_eq!(answer.field("x-from").is_some(), act == "answer", "{what}");
                        let log = log.take();
                        assert!(!log.iter().any(|line| line.starts_with('c')), "{log:?}");
                        let ends = ["b end", "a end"].map(|end| format!("{end} {code}"));
                        assert!(log.ends_with(&ends), "{log:?}");
                    }
                }
            },
        );
    }
}

#[test]
fn deadlines_and_cancellations_are_told_once() {
    with([pass, wait, pass], async |pair, log| {
        for method in METHODS {
            for fields in [&[][..], &[("x-do", "hang")]] {
                let timeout = [fields, &[("grpc-timeout", "30m")]].concat();
                let stream = start(pair, method.path(), &timeout, "hang");
                let answer = until_ended(pair, stream).await;
                assert_eq!(answer.status().code(), Code::DeadlineExceeded);
                let told =
                    |log: &Log, line: &str| log.borrow().iter().filter(|l| *l == line).count();
                assert_eq!(told(&log, "a end DEADLINE_EXCEEDED"), 1, "{log:?}");

                let stream = start(pair, method.path(), fields, "hang");
                pair.exchange();
                sleep(Duration::from_millis(6)).await;
                pair.exchange();
                pair.client.reset(stream, ErrorCode::CANCEL);
                pair.exchange();
                sleep(Duration::from_millis(1)).await;
                assert_eq!(told(&log, "a end CANCELLED"), 1, "{log:?}");
                assert_eq!(told(&log, "b told CANCELLED"), 1, "{log:?}");
                let ends = log
                    .take()
                    .iter()
                    .filter(|line| line.starts_with("a end"))
                    .count();
                assert_eq!(ends, 2);
            }
        }
    });
}

/// Interceptor that panics in its notifications.
struct Clumsy;

impl Interceptor for Clumsy {
    fn start(&self, call: &mut Incoming) -> Result<Step, Instead> {
        call.on_end(|_| panic!("asked to"));
        Ok(Step::Pass)
    }

    fn end(&self, _: &Ended<'_>) {
        panic!("asked to");
    }
}

#[test]
fn functions_will_do_and_panics_at_the_end_harm_nobody() {
    block_on(async {
        let refuse = |call: &mut Incoming| match call.metadata().get("x-key") {
            Some("right") => Ok(()),
            _ => Err(Status::permission_denied("wrong key")),
        };
        let lend = intercept_async(async |call: &mut Incoming| {
            sleep(Duration::from_millis(1)).await;
            let note = Note(call.method().to_owned());
            call.extensions_mut().insert(note);
            Ok(())
        });
        let mut routes = Routes::new();
        routes.add(Seen.intercept(Clumsy).intercept(refuse).intercept(lend));
        let mut pair = Pair::new(routes);
        for method in METHODS {
            for (key, code) in [("right", Code::Ok), ("wrong", Code::PermissionDenied)] {
                let stream = start(&mut pair, method.path(), &[("x-key", key)], "hi");
                let answer = until_ended(&mut pair, stream).await;
                assert_eq!(answer.status().code(), code, "{}", method.path());
                if code == Code::Ok {
                    assert_eq!(text(answer), format!("hi|{}|", method.path()));
                }
            }
        }
    })
    .unwrap();
}

/// Records the duration of calls.
struct Timer(Rc<RefCell<Vec<Duration>>>);

impl Interceptor for Timer {
    fn end(&self, ended: &Ended<'_>) {
        assert_eq!(ended.outcome(), Ok(()));
        self.0.borrow_mut().push(ended.elapsed());
    }
}

#[test]
fn the_time_that_a_call_took_is_told() {
    block_on(async {
        let times = Rc::default();
        let mut routes = Routes::new();
        routes.add(Seen.intercept(Timer(Rc::clone(&times))));
        let mut pair = Pair::new(routes);
        let before = corespun_runtime::now();
        let stream = start(&mut pair, LATER.path(), &[], "hi");
        until_ended(&mut pair, stream).await;
        let most = corespun_runtime::now() - before;
        let times = times.take();
        let is_right = |time: &Duration| (Duration::from_millis(2)..=most).contains(time);
        assert!(times.len() == 1 && times.iter().all(is_right), "{times:?}");
    })
    .unwrap();
}
