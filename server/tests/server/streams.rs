//! Streaming handlers: permitted order of metadata, heads and trailers, and deadlines, panics and
//! ends.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{
    Code, Kind, MetadataMap, Method, Request, Response, Sender, Status, Streaming,
};
use corespun_http2::{Config as Http2Config, StreamKey};
use corespun_runtime::{block_on, sleep, spawn};
use corespun_server::{CancelGuard, Config, Routes, Service};

use crate::support::{Answer, Pair};

const SAY: Method<String, String> = Method::new("/test.Talk/Say", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Talk/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Talk/Join", Kind::ClientStreaming);
const CHAT: Method<String, String> = Method::new("/test.Talk/Chat", Kind::BidiStreaming);

#[derive(Default)]
struct Talk {
    /// Number of watches that were notified of a cancelled call.
    cancelled: Rc<Cell<usize>>,
}

/// Adds the trailers that every kind of method sends.
fn trailers(map: &mut corespun_codec::MetadataMap) {
    map.append("x-after", "1").unwrap();
    map.append("x-after", "2").unwrap();
    map.append_bin("x-after-bin", &[0, 255]).unwrap();
}

fn answer(text: String) -> Result<Response<String>, Status> {
    if text.ends_with("fail") {
        let mut status = Status::aborted("asked to");
        trailers(status.metadata_mut());
        return Err(status);
    }
    let mut response = Response::new(text);
    response.metadata_mut().append("x-before", "0").unwrap();
    trailers(response.trailers_mut());
    Ok(response)
}

async fn talk(
    text: &str,
    out: &mut Sender<String>,
    cancelled: &Rc<Cell<usize>>,
) -> Result<(), Status> {
    out.with_trailers(trailers);
    match text {
        "fail" => return Err(Status::aborted("asked to")),
        "panic" => panic!("asked to"),
        "panic later" => {
            out.send("one".to_owned()).await?;
            sleep(Duration::from_millis(1)).await;
            panic!("asked to");
        }
        "head" => {
            assert!(out.with_metadata(|map| map.append("x-before", "0").unwrap()));
            out.send_headers();
            return pending().await;
        }
        "flood" => loop {
            out.send("x".repeat(10_000)).await?;
        },
        "hang" => {
            let guard = CancelGuard::new();
            let (watch, cancelled) = (guard.watch(), Rc::clone(cancelled));
            spawn(async move {
                cancelled.set(cancelled.get() + usize::from(watch.ended().await));
            });
            pending::<()>().await;
            guard.disarm();
        }
        _ => {}
    }
    assert!(out.with_metadata(|map| map.append("x-before", "0").unwrap()));
    out.send(text.to_owned()).await?;
    out.send(text.to_owned()).await
}

impl Service for Talk {
    const NAME: &'static str = "test.Talk";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async {
            answer(request.into_inner())
        });
        routes.server_streaming(
            LIST,
            &service,
            |talker, request: Request<String>, mut out| async move {
                talk(request.get_ref(), &mut out, &talker.cancelled).await
            },
        );
        routes.client_streaming(
            JOIN,
            &service,
            |_, mut requests: Streaming<String>| async move {
                let mut text = String::new();
                while let Some(part) = requests.message().await? {
                    text.push_str(&part);
                    if part == "early" {
                        let add = |map: &mut MetadataMap| map.append("x-early", "1").unwrap();
                        assert!(requests.with_response_metadata(add));
                        requests.send_headers();
                    }
                }
                answer(text)
            },
        );
        routes.bidi_streaming(
            CHAT,
            &service,
            |talker, mut requests: Streaming<String>, mut out| async move {
                let text = requests.message().await?.unwrap_or_default();
                talk(&text, &mut out, &talker.cancelled).await
            },
        );
    }
}

fn with(test: impl AsyncFnOnce(&mut Pair, Rc<Cell<usize>>)) {
    block_on(async {
        let talk = Talk::default();
        let cancelled = Rc::clone(&talk.cancelled);
        let mut routes = Routes::new();
        routes.add(talk);
        let mut pair = Pair::with(routes, Config::default(), Http2Config::client());
        pair.clock = corespun_runtime::now;
        test(&mut pair, cancelled).await;
    })
    .unwrap();
}

fn start(pair: &mut Pair, path: &str, fields: &[(&str, &str)], text: &str) -> StreamKey {
    let stream = pair.open(path, fields, false);
    pair.send(stream, &text.to_owned(), true);
    stream
}

/// Runs both sides until `is_so` holds for the response.
async fn until(pair: &mut Pair, stream: StreamKey, is_so: impl Fn(&Answer) -> bool) {
    for _ in 0..2000 {
        pair.exchange();
        if pair.answers.get(&stream.id).is_some_and(&is_so) {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("does not come to be: {:?}", pair.answers.get(&stream.id));
}

fn all<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let of_name = fields.iter().filter(|(n, _)| n == name);
    of_name.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn metadata_and_trailers_in_all_kinds() {
    with(async |pair, _| {
        for method in [SAY, LIST, JOIN, CHAT] {
            for (text, code) in [("words", Code::Ok), ("fail", Code::Aborted)] {
                let stream = start(pair, method.path(), &[], text);
                until(pair, stream, |answer| answer.ended).await;
                let answer = &pair.answers[&stream.id];
                let what = format!("{} {text}: {answer:?}", method.path());
                assert_eq!(answer.status().code(), code, "{what}");
                // An error without anything before it is head and trailers in one.
                let after = match code {
                    Code::Ok => &answer.trailers,
                    _ => &answer.head,
                };
                let expected_before: &[&str] = if code == Code::Ok { &["0"] } else { &[] };
                assert_eq!(all(&answer.head, "x-before"), expected_before, "{what}");
                assert_eq!(all(after, "x-after"), ["1", "2"], "{what}");
                assert_eq!(all(after, "x-after-bin"), ["AP8"], "{what}");
                assert_eq!(
                    answer.status().metadata().get_bin("x-after-bin"),
                    Some(vec![0, 255])
                );
            }
        }
    });
}

#[test]
fn a_head_can_go_ahead_of_the_first_message() {
    with(async |pair, _| {
        for path in [LIST.path(), CHAT.path()] {
            let stream = start(pair, path, &[("grpc-timeout", "300m")], "head");
            until(pair, stream, |answer| !answer.head.is_empty()).await;
            let answer = &pair.answers[&stream.id];
            assert!(!answer.ended && answer.body.is_empty(), "{answer:?}");
            assert_eq!(answer.field("x-before"), Some("0"));
            until(pair, stream, |answer| answer.ended).await;
            let answer = &pair.answers[&stream.id];
            assert_eq!(answer.status().code(), Code::DeadlineExceeded);
            assert_eq!(all(&answer.trailers, "x-after"), ["1", "2"]);
        }
    });
}

#[test]
fn a_handler_that_gathers_can_send_its_head_first() {
    with(async |pair, _| {
        for (texts, code) in [
            (&["early", "words"][..], Code::Ok),
            (&["early"], Code::Ok),
            (&["early", "fail"], Code::Aborted),
        ] {
            let stream = pair.open(JOIN.path(), &[], false);
            pair.send(stream, &texts[0].to_owned(), false);
            until(pair, stream, |answer| !answer.head.is_empty()).await;
            let answer = &pair.answers[&stream.id];
            assert_eq!(all(&answer.head, "x-early"), ["1"]);
            assert!(!answer.ended && answer.body.is_empty(), "{answer:?}");
            for text in &texts[1..] {
                pair.send(stream, &(*text).to_owned(), false);
            }
            pair.client.send_data(stream, b"", true);
            until(pair, stream, |answer| answer.ended).await;
            let answer = &pair.answers[&stream.id];
            assert_eq!(answer.status().code(), code);
            assert!(answer.field("x-before").is_none(), "the head has gone");
            assert_eq!(all(&answer.trailers, "x-after"), ["1", "2"]);
        }
        // Without a wait in between both are sent in one head.
        let stream = start(pair, JOIN.path(), &[], "early");
        until(pair, stream, |answer| answer.ended).await;
        let head = &pair.answers[&stream.id].head;
        assert_eq!(
            (all(head, "x-early"), all(head, "x-before")),
            (vec!["1"], vec!["0"])
        );
    });
}

#[test]
fn panics_end_their_own_call() {
    with(async |pair, _| {
        for path in [LIST.path(), CHAT.path()] {
            for text in ["panic", "panic later"] {
                let stream = start(pair, path, &[], text);
                until(pair, stream, |answer| answer.ended).await;
                let answer = &pair.answers[&stream.id];
                assert_eq!(answer.status().code(), Code::Unknown, "{path} {text}");
                assert_eq!(answer.body.is_empty(), text == "panic");
            }
            let stream = start(pair, path, &[], "words");
            until(pair, stream, |answer| answer.ended).await;
            assert_eq!(pair.answers[&stream.id].status().code(), Code::Ok);
        }
    });
}

#[test]
fn deadlines_and_resets_drop_the_handler_and_tell_its_helpers() {
    with(async |pair, cancelled| {
        for path in [LIST.path(), CHAT.path()] {
            let stream = start(pair, path, &[("grpc-timeout", "20m")], "hang");
            until(pair, stream, |answer| answer.ended).await;
            let code = pair.answers[&stream.id].status().code();
            assert_eq!(code, Code::DeadlineExceeded, "{path}");
            let stream = start(pair, path, &[], "hang");
            pair.exchange();
            sleep(Duration::from_millis(2)).await;
            pair.client.reset(stream, corespun_http2::ErrorCode::CANCEL);
            pair.exchange();
        }
        for _ in 0..1000 {
            if cancelled.get() == 4 {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{} of 4 were told", cancelled.get());
    });
}

#[test]
fn a_caller_that_takes_nothing_does_not_keep_a_call_past_its_deadline() {
    const CANCEL: u32 = 8;
    block_on(async {
        let mut routes = Routes::new();
        routes.add(Talk::default());
        let mut pair = Pair::with(routes, Config::default(), Http2Config::client());
        pair.clock = corespun_runtime::now;
        pair.releases = false;
        for path in [LIST.path(), CHAT.path()] {
            let stream = start(&mut pair, path, &[("grpc-timeout", "50m")], "flood");
            until(&mut pair, stream, |answer| answer.reset.is_some()).await;
            assert_eq!(pair.answers[&stream.id].reset, Some(CANCEL), "{path}");
        }
    })
    .unwrap();
}
