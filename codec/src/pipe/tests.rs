//! Tests of both ends of a pipe, without a connection.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};

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

/// Waker that records that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
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

/// Takes the output, and returns its length.
fn taken(pipe: &Pipe) -> usize {
    let mut len = 0;
    pipe.take_output(|bytes| {
        len = bytes.len();
        Some(bytes)
    });
    len
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
    assert!(taken(&pipe) > OUTPUT_BYTES_HIGH);
    pipe.pace(0, 0);
    assert_eq!(poll(sender.send("b".into())), Poll::Ready(Ok(())));
    assert_eq!(rings.0.get(), 2);
    drop(sender);
    assert!(
        !pipe.is_finishing(),
        "a server's side ends with its handler"
    );
    pipe.finisher().finish(Ok(()));
    assert!(pipe.take_finish().is_none(), "output goes first");
    taken(&pipe);
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

/// Returns a message that takes `bytes` including its prefix.
fn sized(bytes: usize) -> String {
    let text = "x".repeat(bytes);
    let over = PREFIX_BYTES + text.encoded_len() - bytes;
    text[over..].into()
}

/// Sends messages of `sizes` until one has to wait, and expects `sent` to be accepted.
fn check_room((queued, sendable): (usize, usize), sizes: &[usize], sent: usize) {
    let (pipe, _rings) = pipe(Side::Server);
    let mut sender = pipe.sender::<String>();
    pipe.pace(queued, sendable);
    let mut accepted = 0;
    for size in sizes {
        match poll(sender.send(sized(*size))) {
            Poll::Ready(outcome) => outcome.expect("sent"),
            Poll::Pending => break,
        }
        accepted += 1;
    }
    let case = format!("{queued} queued, {sendable} sendable, {sizes:?}");
    assert_eq!(accepted, sent, "{case}");
    assert_eq!(taken(&pipe), sizes[..sent].iter().sum::<usize>(), "{case}");
}

#[test]
fn a_sender_goes_as_far_as_the_windows() {
    let (low, high) = (OUTPUT_BYTES_STALLED, OUTPUT_BYTES_HIGH);
    let half = low / 2;
    // Closed windows: both sides of the bound, and of the half of it.
    check_room((0, 0), &[half + 1, half - 1, 100], 2);
    check_room((0, 0), &[half + 1, half], 1);
    check_room((0, 0), &[half, high], 2);
    check_room((0, 0), &[half + 1, high], 1);
    check_room((0, 0), &[high, 100], 1);
    // What the connection keeps counts.
    check_room((half, 0), &[high], 1);
    check_room((half + 1, 0), &[half - 1, 100], 1);
    check_room((half + 1, 0), &[half], 0);
    check_room((high, 0), &[100], 0);
    // Open windows, up to the bound of all.
    check_room((0, 1000), &[half + 501, half + 499, 100], 2);
    check_room((0, 1000), &[half + 501, half + 500], 1);
    check_room((0, 1 << 30), &[high / 2 + 1, high / 2 - 1, 100], 2);
    check_room((0, 1 << 30), &[high / 2 + 1, high / 2], 1);
}

#[test]
fn a_sender_that_waits_goes_on_once_half_is_gone() {
    let half = OUTPUT_BYTES_STALLED / 2;
    for (queued, sendable, goes_on) in [
        (half + 1, 0, false),
        (half, 0, true),
        (0, 0, true),
        (half + 1, 2, true),
    ] {
        let (pipe, _rings) = pipe(Side::Server);
        let mut sender = pipe.sender::<String>();
        assert!(poll(sender.send(sized(2 * half))).is_ready());
        let mut send = pin!(sender.send(sized(100)));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        assert!(send.as_mut().poll(&mut context).is_pending());
        assert_eq!(taken(&pipe), 2 * half);
        pipe.pace(queued, sendable);
        let case = format!("{queued} queued, {sendable} sendable");
        assert_eq!(woken.0.load(Ordering::Relaxed), goes_on, "{case}");
    }
}

#[test]
fn a_call_that_stands_still_keeps_no_buffer() {
    let (pipe, _rings) = pipe(Side::Server);
    let mut sender = pipe.sender::<String>();
    let capacity = || pipe.state().output.bytes.capacity();
    assert!(poll(sender.send(sized(5000))).is_ready());
    taken(&pipe);
    pipe.pace(0, 0);
    assert!(capacity() >= 5000, "kept while it flows");
    assert!(poll(sender.send(sized(5000))).is_ready());
    taken(&pipe);
    pipe.pace(5000, 0);
    assert_eq!(capacity(), 0);
    assert_eq!(sender.room(), OUTPUT_BYTES_STALLED - 5000);
}
