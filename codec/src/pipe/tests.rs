//! Both ends of a pipe, driven by hand.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use super::*;
use crate::message;

#[derive(Default)]
struct Rings(Cell<usize>);

impl Doorbell for Rings {
    fn ring(&self, token: u64) {
        assert_eq!(token, 7);
        self.0.set(self.0.get() + 1);
    }
}

fn pipe(side: Side) -> (Pipe, Rc<Rings>) {
    let rings = Rc::new(Rings::default());
    (Pipe::new(side, 1 << 20, rings.clone(), 7), rings)
}

fn framed(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        message::encode(&text.to_string(), &mut bytes).unwrap();
    }
    bytes
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn messages_come_out_whole_and_their_credit_after_them() {
    let (pipe, _rings) = pipe(Side::Server);
    let mut streaming = pipe.streaming::<String>();
    let bytes = framed(&["one", "two"]);
    let (first, rest) = bytes.split_at(3);
    assert_eq!(pipe.missing(), 5, "a prefix at least");
    assert_eq!(pipe.receive(first), 0, "what is gathered is held");
    assert_eq!(pipe.missing(), 2);
    assert!(poll(streaming.message()).is_pending());
    assert_eq!(
        pipe.receive(rest),
        0,
        "messages that wait get theirs when they are read"
    );
    assert_eq!(pipe.missing(), 0, "there is something to read");
    assert_eq!(
        poll(streaming.message()),
        Poll::Ready(Ok(Some("one".into())))
    );
    assert_eq!(
        poll(streaming.message()),
        Poll::Ready(Ok(Some("two".into())))
    );
    assert_eq!(pipe.answer(), bytes.len());
    assert_eq!(pipe.missing(), 5);
    pipe.end(Ok(MetadataMap::new()));
    assert_eq!(poll(streaming.message()), Poll::Ready(Ok(None)));
}

#[test]
fn a_status_comes_after_the_messages_and_a_failure_before() {
    let (ended, _rings) = pipe(Side::Client);
    let mut streaming = ended.streaming::<String>();
    ended.receive(&framed(&["one"]));
    ended.end(Err(Status::aborted("no more")));
    assert_eq!(
        poll(streaming.message()),
        Poll::Ready(Ok(Some("one".into())))
    );
    assert_eq!(
        poll(streaming.message()),
        Poll::Ready(Err(Status::aborted("no more")))
    );
    assert_eq!(poll(streaming.message()), Poll::Ready(Ok(None)));

    let (failed, _rings) = pipe(Side::Client);
    let mut streaming = failed.streaming::<String>();
    failed.receive(&framed(&["one"]));
    failed.fail(Status::cancelled("gone"));
    assert_eq!(
        poll(streaming.message()),
        Poll::Ready(Err(Status::cancelled("gone")))
    );
}

#[test]
fn an_end_inside_a_message_is_an_error() {
    let (pipe, _rings) = pipe(Side::Server);
    let mut streaming = pipe.streaming::<String>();
    pipe.receive(&framed(&["one"])[..6]);
    pipe.end(Ok(MetadataMap::new()));
    let Poll::Ready(Err(status)) = poll(streaming.message()) else {
        panic!("not an error")
    };
    assert_eq!(status.code(), crate::Code::Internal);
}

#[test]
fn a_sender_waits_while_much_is_queued_and_rings_once() {
    let (pipe, rings) = pipe(Side::Server);
    let mut sender = pipe.sender::<String>();
    let large = "x".repeat(OUTPUT_BYTES_HIGH);
    assert_eq!(poll(sender.send("a".into())), Poll::Ready(Ok(())));
    assert_eq!(poll(sender.send(large)), Poll::Ready(Ok(())));
    assert_eq!(rings.0.get(), 1);
    assert!(poll(sender.send("b".into())).is_pending());
    pipe.answer();
    pipe.take_output(|bytes| assert!(bytes.len() > OUTPUT_BYTES_HIGH));
    assert_eq!(poll(sender.send("b".into())), Poll::Ready(Ok(())));
    assert_eq!(rings.0.get(), 2);
    drop(sender);
    assert!(
        !pipe.is_finishing(),
        "a server's side ends with its handler"
    );
    pipe.finisher().finish(Ok(()));
    assert!(pipe.take_finish().is_none(), "output goes first");
    pipe.take_output(|_| {});
    assert!(matches!(
        pipe.take_finish(),
        Some(Finish {
            outcome: Ok(()),
            ..
        })
    ));
}

#[test]
fn a_client_ends_by_dropping_its_sender_and_cancels_by_dropping_its_reader() {
    let (pipe, rings) = pipe(Side::Client);
    drop(pipe.sender::<String>());
    assert!(pipe.is_finishing());
    assert!(!pipe.is_abandoned());
    pipe.answer();
    drop(pipe.streaming::<String>());
    assert!(pipe.is_abandoned());
    assert_eq!(rings.0.get(), 2);
}
