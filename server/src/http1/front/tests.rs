//! Protocol detection with first bytes in pieces of any size, and with clients that send none.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const INSTANT: Duration = Duration::from_nanos(1);

/// Protocol detected for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Http1,
    Http2,
    Refused(Stranger),
}

#[derive(Default)]
struct Seen {
    taken: Option<Taken>,
    bytes: Vec<u8>,
    drained: bool,
}

/// Test double for a client, and for both connections that it can become.
struct Probe(Rc<RefCell<Seen>>);

impl Probe {
    fn taken(self, taken: Taken) -> Self {
        let before = self.0.borrow_mut().taken.replace(taken);
        assert_eq!(before, None, "taken for something once");
        self
    }
}

impl Guest for Probe {
    type Http1 = Self;
    type Http2 = Self;

    fn http1(self, _now: Duration) -> Self {
        self.taken(Taken::Http1)
    }

    fn http2(self, _now: Duration) -> Self {
        self.taken(Taken::Http2)
    }

    fn turn_away(self, why: Stranger) {
        self.taken(Taken::Refused(why));
    }
}

impl Protocol for Probe {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        if let Input::Bytes(bytes) = input {
            self.0.borrow_mut().bytes.extend_from_slice(bytes);
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, _out: &mut Vec<u8>) -> Flow {
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn drain(&mut self, _now: Duration) {
        self.0.borrow_mut().drained = true;
    }
}

fn front() -> (Front<Probe>, Rc<RefCell<Seen>>) {
    let seen = Rc::<RefCell<Seen>>::default();
    let front = Front::new(Duration::ZERO, PATIENCE, Probe(seen.clone()));
    (front, seen)
}

/// Returns the protocol detected in bytes that arrive in these pieces.
fn taken(pieces: &[&[u8]]) -> Option<Taken> {
    let (mut front, seen) = front();
    for piece in pieces {
        front.receive(Duration::ZERO, Input::Bytes(piece));
    }
    let seen = seen.borrow();
    if let Some(Taken::Http1 | Taken::Http2) = seen.taken {
        assert_eq!(seen.bytes, pieces.concat(), "each byte is handed on once");
    }
    seen.taken
}

#[test]
fn the_first_bytes_tell() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (text, expected) in [
        (&preface[..], Some(Taken::Http2)),
        (&preface[..15], None),
        (&preface[..16], Some(Taken::Http2)),
        (b"PRI * HTTP/2.0\r\nGET", Some(Taken::Http2)),
        (b"PRI * HTTP/2.0\n", Some(Taken::Http1)),
        (b"GET / HTTP/1.1\r\n", Some(Taken::Http1)),
        (b"G", Some(Taken::Http1)),
        (b"\r\nGET / HTTP/1.1\r\n", Some(Taken::Http1)),
        (b"POST / HTTP/1.1\r\n", Some(Taken::Http1)),
        (b"PRI * HTTP/1.1\r\n", Some(Taken::Http1)),
        (b"PR", None),
        (b"P\x16", Some(Taken::Http1)),
        (b"\x16\x03\x01\x02\0", Some(Taken::Refused(Stranger::Tls))),
        (b"\x15\x03\x01", Some(Taken::Http1)),
    ] {
        for at in 0..=text.len() {
            let found = taken(&[&text[..at], &text[at..]]);
            assert_eq!(found, expected, "{} at {at}", text.escape_ascii());
        }
        let single: Vec<_> = text.chunks(1).collect();
        assert_eq!(taken(&single), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn a_client_of_tls_is_told_in_plain_text() {
    let (mut front, _) = front();
    front.receive(Duration::ZERO, Input::Bytes(b"\x16\x03\x01\x02\0"));
    let mut out = Vec::new();
    assert_eq!(front.transmit(&mut out), Flow::Close);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(
        text.ends_with("\r\n\r\nthis port does not speak TLS\n"),
        "{text}"
    );
}

#[test]
fn first_bytes_are_waited_for_so_long() {
    for said in [&b""[..], b"PRI * HTTP/2.0\r"] {
        let (mut front, seen) = front();
        assert_eq!(front.deadline(), Some(PATIENCE));
        let mut out = Vec::new();
        for byte in said.chunks(1) {
            front.receive(PATIENCE - INSTANT, Input::Bytes(byte));
        }
        front.advance(PATIENCE - INSTANT);
        assert_eq!(front.transmit(&mut out), Flow::Open);
        front.advance(PATIENCE);
        assert_eq!(front.transmit(&mut out), Flow::Close);
        let silent = Some(Taken::Refused(Stranger::Silent));
        assert_eq!((seen.borrow().taken, &*out), (silent, &[][..]));
    }
    // A load balancer that only opens a connection breaks no rule.
    let (mut front, seen) = front();
    front.receive(Duration::ZERO, Input::End);
    assert_eq!(front.transmit(&mut Vec::new()), Flow::Close);
    assert_eq!(seen.borrow().taken, None);
}

#[test]
fn a_drain_waits_a_moment_for_first_bytes() {
    let (mut silent, seen) = front();
    silent.drain(Duration::ZERO);
    assert_eq!(silent.deadline(), Some(DRAIN_FIRST_BYTES_MAX));
    silent.advance(DRAIN_FIRST_BYTES_MAX - INSTANT);
    assert_eq!(silent.transmit(&mut Vec::new()), Flow::Open);
    silent.advance(DRAIN_FIRST_BYTES_MAX);
    assert_eq!(silent.transmit(&mut Vec::new()), Flow::Close);
    assert_eq!(seen.borrow().taken, None, "no limit was exceeded");
    let (mut late, seen) = front();
    late.drain(Duration::ZERO);
    late.receive(INSTANT, Input::Bytes(PREFACE));
    let seen = seen.borrow();
    assert_eq!((seen.taken, seen.drained), (Some(Taken::Http2), true));
}
