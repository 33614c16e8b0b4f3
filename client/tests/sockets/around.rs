//! Interceptors of a channel in every kind of call: what they read, change, answer and observe.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_client::{
    Answer, Calling, Channel, Config, Ended, Interceptor, Step, Waiting, intercept_async, observe,
};
use corespun_codec::{
    CallObserver, Code, Encoding, Encodings, MessageBytes, Request, Response, Status, TraceContext,
};
use corespun_runtime::{Engine, sleep};
use corespun_server::Incoming;

use crate::engines::on_each_engine;
use crate::words::{ECHO, JOIN, SLEEP, SPLIT, UPPER, builder, serve};
use crate::{PLENTY, granted, text};

type Log = Rc<RefCell<Vec<String>>>;

/// Logs every call to it.
struct Logger {
    name: &'static str,
    log: Log,
    step: Step,
}

impl Logger {
    fn new(name: &'static str, log: &Log, step: Step) -> Self {
        let log = Rc::clone(log);
        Self { name, log, step }
    }

    fn write(&self, what: impl std::fmt::Display) {
        self.log.borrow_mut().push(format!("{} {what}", self.name));
    }
}

impl Interceptor for Logger {
    fn start(&self, call: &mut Calling) -> Result<Step, Answer> {
        self.write("start");
        let (name, log) = (self.name, Rc::clone(&self.log));
        call.on_end(move |ended| {
            log.borrow_mut()
                .push(format!("{name} told {}", ended.code()));
        });
        let said = call.metadata().get("x-say").unwrap_or_default().to_owned();
        match &*said {
            "refuse" => return Err(Status::unauthenticated("who are you?").into()),
            "answer" => {
                let mut response = Response::new("instead".to_owned());
                response.metadata_mut().append("x-before", "here")?;
                response.trailers_mut().append("x-after", "here")?;
                return Err(Answer::response(response));
            }
            _ => {}
        }
        call.metadata_mut()
            .insert("x-say", &format!("{said}{}", self.name))?;
        Ok(self.step)
    }

    fn wait<'a>(&'a self, call: &'a mut Calling) -> Waiting<'a> {
        Box::pin(async move {
            sleep(Duration::from_millis(5)).await;
            self.write("waited");
            match call.metadata().get("x-say") {
                Some(said) if said.starts_with("late") => Err(Status::aborted("late").into()),
                _ => Ok(()),
            }
        })
    }

    fn end(&self, ended: &Ended<'_>) {
        assert!(ended.method().starts_with("/test.Words/"));
        let sent = ended.peer().map_or("unsent", |_| "sent");
        self.write(format!("end {} {sent}", ended.code()));
    }
}

/// Logs message sizes and the end.
struct Ear(Log);

impl CallObserver for Ear {
    fn received(&self, message: MessageBytes) {
        let line = format!("< {} {}", message.plain, message.wire);
        self.0.borrow_mut().push(line);
    }

    fn sent(&self, message: MessageBytes) {
        let line = format!("> {} {}", message.plain, message.wire);
        self.0.borrow_mut().push(line);
    }

    fn ended(&self, outcome: Result<(), &Status>, _: Duration) {
        let code = outcome.err().map_or(Code::Ok, Status::code);
        self.0.borrow_mut().push(code.to_string());
    }
}

fn listening(log: &Log) -> impl Interceptor {
    let ear = Rc::new(Ear(Rc::clone(log)));
    observe(move |_call: &Calling| Some(ear.clone() as _))
}

/// Runs a test with a channel to its own server.
fn with_channel(config: Config, test: impl AsyncFn(Channel)) {
    on_each_engine(async |engine: Engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let target = server.addresses()[0].to_string();
        test(Channel::lazy_with(&target, config.clone()).unwrap()).await;
        server.stop().unwrap();
    });
}

fn saying(say: &str) -> Request<String> {
    let mut request = text("metadata");
    request.metadata_mut().append("x-say", say).unwrap();
    request
}

#[test]
fn in_order_and_able_to_answer() {
    with_channel(Config::default(), async |channel| {
        let log = Log::default();
        let around = channel
            .clone()
            .intercept(Logger::new("a", &log, Step::Wait))
            .intercept(Logger::new("b", &log, Step::Pass));
        let response = around.unary(UPPER, saying("")).await.unwrap();
        assert_eq!(response.metadata().get("x-before"), Some("ab"));
        let ends = ["a told OK", "b told OK", "b end OK sent", "a end OK sent"];
        let expected = ["a start", "a waited", "b start"].iter().chain(&ends);
        assert!(log.take().iter().eq(expected));

        let status = around.unary(UPPER, saying("refuse")).await.unwrap_err();
        assert_eq!(status, Status::unauthenticated("who are you?"));
        let expected = [
            "a start",
            "a told UNAUTHENTICATED",
            "a end UNAUTHENTICATED unsent",
        ];
        assert_eq!(log.take(), expected);

        let status = around.unary(UPPER, saying("late")).await.unwrap_err();
        assert_eq!(status, Status::aborted("late"));
        log.take();

        let response = around.unary(UPPER, saying("answer")).await.unwrap();
        assert_eq!(response.get_ref(), "instead");
        assert_eq!(response.metadata().get("x-before"), Some("here"));
        assert_eq!(response.trailers().get("x-after"), Some("here"));
        assert_eq!(log.take(), ["a start", "a told OK", "a end OK unsent"]);

        let before = channel.unary(UPPER, saying("alone")).await.unwrap();
        assert_eq!(before.metadata().get("x-before"), Some("alone"));
        assert!(log.take().is_empty(), "the channel itself has none");
    });
}

#[test]
fn streams_are_asked_about_answered_and_heard_to_their_end() {
    with_channel(Config::default(), async |channel| {
        let log = Log::default();
        let around = channel.intercept(Logger::new("a", &log, Step::Pass));
        let words = around.server_streaming(SPLIT, text("a error")).await;
        let mut words = words.unwrap().into_inner();
        assert_eq!(words.message().await.unwrap().as_deref(), Some("a"));
        assert_eq!(log.take(), ["a start"]);
        words.message().await.unwrap_err();
        assert_eq!(log.take(), ["a told ABORTED", "a end ABORTED sent"]);

        let status = around.server_streaming(SPLIT, text("error")).await;
        assert_eq!(status.unwrap_err().code(), Code::Aborted);
        log.take();

        let given = saying("answer");
        let words = around.server_streaming(SPLIT, given).await.unwrap();
        assert_eq!(words.metadata().get("x-before"), Some("here"));
        let mut words = words.into_inner();
        assert_eq!(words.message().await.unwrap().as_deref(), Some("instead"));
        assert_eq!(words.message().await, Ok(None));
        assert_eq!(words.trailers().get("x-after"), Some("here"));
        log.take();

        let refused = saying("refuse").map(|_| ());
        let (mut out, mut words) = around.bidi_streaming(ECHO, refused).await.unwrap();
        assert_eq!(
            out.send("x".into()).await.unwrap_err().code(),
            Code::Unauthenticated
        );
        assert_eq!(
            words.message().await.unwrap_err().code(),
            Code::Unauthenticated
        );
        log.take();

        let (mut out, words) = around
            .bidi_streaming(ECHO, Request::default())
            .await
            .unwrap();
        out.send("x".into()).await.unwrap();
        drop((out, words));
        let expected = ["a start", "a told CANCELLED", "a end CANCELLED sent"];
        assert_eq!(log.take(), expected);

        let joining = around.client_streaming(JOIN, Request::default()).await;
        let mut joining = joining.unwrap();
        joining.send("x".into()).await.unwrap();
        assert_eq!(joining.finish().await.unwrap().get_ref(), "x");
        assert_eq!(log.take(), ["a start", "a told OK", "a end OK sent"]);
    });
}

#[test]
fn a_call_dropped_is_cancelled_and_waiting_is_time() {
    with_channel(Config::default(), async |channel| {
        let log = Log::default();
        let logged = channel
            .clone()
            .intercept(Logger::new("a", &log, Step::Pass));
        let nap = logged.unary(SLEEP, text("60000"));
        let dropped = corespun_runtime::timeout(Duration::from_millis(30), nap).await;
        assert!(dropped.is_err());
        let expected = ["a start", "a told CANCELLED", "a end CANCELLED sent"];
        assert_eq!(log.take(), expected);

        let slow = channel.intercept(intercept_async(async |_: &mut Calling| {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        }));
        let late = slow
            .unary(UPPER, granted("x", Duration::from_millis(20)))
            .await;
        assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    });
}

#[test]
fn messages_are_heard_with_their_sizes() {
    with_channel(Config::default(), async |channel| {
        let log = Log::default();
        let heard = channel.intercept(listening(&log));
        heard.unary(UPPER, text("hello")).await.unwrap();
        assert_eq!(log.take(), ["> 7 7", "< 7 7", "OK"]);
        heard.unary(UPPER, text("error")).await.unwrap_err();
        assert_eq!(log.take(), ["> 7 7", "FAILED_PRECONDITION"]);
        let words = heard.server_streaming(SPLIT, text("a bc")).await;
        let mut words = words.unwrap().into_inner();
        while words.message().await.unwrap().is_some() {}
        assert_eq!(log.take(), ["> 6 6", "< 3 3", "< 4 4", "OK"]);
        let (mut out, mut words) = heard
            .bidi_streaming(ECHO, Request::default())
            .await
            .unwrap();
        out.send("abc".into()).await.unwrap();
        words.message().await.unwrap();
        drop(out);
        assert_eq!(words.message().await, Ok(None));
        assert_eq!(log.take(), ["> 5 5", "< 5 5", "OK"]);
    });
    let config = Config {
        encoding: Encoding::Gzip,
        accept_encodings: Encodings::ALL,
        ..Config::default()
    };
    with_channel(config, async |channel| {
        let log = Log::default();
        let heard = channel.intercept(listening(&log));
        heard.unary(UPPER, text(&"x".repeat(1000))).await.unwrap();
        let lines = log.take();
        let wire = lines[0].strip_prefix("> 1003 ").unwrap();
        assert!(wire.parse::<usize>().unwrap() < 100, "{lines:?}");
        assert_eq!(lines[1], "< 1003 1003");
    });
}

/// Reports the trace of the call to the handler; `Upper` returns it.
fn tell_trace(call: &mut Incoming) -> Result<(), Status> {
    let told = call
        .metadata()
        .get("traceparent")
        .unwrap_or("none")
        .to_owned();
    call.metadata_mut().insert("x-say", &told)?;
    Ok(())
}

#[test]
fn the_current_trace_goes_along() {
    let current = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let other = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00";
    let context = TraceContext::parse(current).unwrap();
    let check = async |target: &str, trace_context: bool, own: Option<&str>, expected: &str| {
        let config = Config {
            trace_context,
            ..Config::default()
        };
        let channel = Channel::lazy_with(target, config).unwrap();
        let mut request = text("metadata");
        if let Some(own) = own {
            request.metadata_mut().append("traceparent", own).unwrap();
        }
        let call = channel.unary(UPPER, request);
        let response = context.clone().follow(call).await.unwrap();
        assert_eq!(response.metadata().get("x-before"), Some(expected));
    };
    on_each_engine(async |engine: Engine| {
        let server = builder("127.0.0.1:0", engine).intercept(|_shard| Ok(tell_trace));
        let server = server.start().unwrap();
        let target = server.addresses()[0].to_string();
        check(&target, true, None, current).await;
        check(&target, true, Some(other), other).await;
        check(&target, false, None, "none").await;
        server.stop().unwrap();
    });
}
