//! Which version a caller without TLS speaks: HTTP/2 announces itself with its first bytes.

use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};

/// The start of HTTP/2's preface (RFC 9113 §3.4). No request of HTTP/1.1 begins so: the version
/// in its place is not one that HTTP/1.1 has.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}

/// What a socket becomes once its first bytes have told.
type Open = Box<dyn FnOnce(Spoken, Duration) -> Box<dyn Protocol>>;

/// A socket whose caller has not told yet what it speaks, and what it became then.
pub(crate) struct Front {
    stage: Stage,
    draining: bool,
}

enum Stage {
    Listening {
        heard: Vec<u8>,
        until: Option<Duration>,
        open: Open,
    },
    Open(Box<dyn Protocol>),
    Closed,
}

impl Front {
    /// Waits up to `patience` for the first bytes.
    pub(crate) fn new(now: Duration, patience: Duration, open: Open) -> Self {
        Self {
            stage: Stage::Listening {
                heard: Vec::new(),
                until: now.checked_add(patience),
                open,
            },
            draining: false,
        }
    }

    fn listen(&mut self, now: Duration, bytes: &[u8]) {
        let Stage::Listening { heard, .. } = &mut self.stage else {
            return;
        };
        heard.extend_from_slice(bytes);
        let len = heard.len().min(PREFACE.len());
        let spoken = if heard[..len] != PREFACE[..len] {
            Spoken::Http1
        } else if len == PREFACE.len() {
            Spoken::Http2
        } else {
            return;
        };
        if let Stage::Listening { heard, open, .. } =
            std::mem::replace(&mut self.stage, Stage::Closed)
        {
            let mut inner = open(spoken, now);
            inner.receive(now, Input::Bytes(&heard));
            if self.draining {
                inner.drain(now);
            }
            self.stage = Stage::Open(inner);
        }
    }
}

impl Protocol for Front {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        match (&mut self.stage, input) {
            (Stage::Open(inner), input) => inner.receive(now, input),
            (Stage::Listening { .. }, Input::Bytes(bytes)) => self.listen(now, bytes),
            (Stage::Listening { .. }, Input::End) => self.stage = Stage::Closed,
            (Stage::Closed, _) => {}
        }
    }

    fn advance(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Open(inner) => inner.advance(now),
            Stage::Listening { until, .. } if until.is_some_and(|until| until <= now) => {
                self.stage = Stage::Closed;
            }
            Stage::Listening { .. } | Stage::Closed => {}
        }
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        match &mut self.stage {
            Stage::Open(inner) => inner.transmit(out),
            Stage::Listening { .. } => Flow::Open,
            Stage::Closed => Flow::Close,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Open(inner) => inner.deadline(),
            Stage::Listening { until, .. } => *until,
            Stage::Closed => None,
        }
    }

    fn wants_input(&self) -> bool {
        match &self.stage {
            Stage::Open(inner) => inner.wants_input(),
            Stage::Listening { .. } | Stage::Closed => true,
        }
    }

    fn has_backlog(&self) -> bool {
        matches!(&self.stage, Stage::Open(inner) if inner.has_backlog())
    }

    /// Who has said nothing yet is not waited for.
    fn drain(&mut self, now: Duration) {
        self.draining = true;
        match &mut self.stage {
            Stage::Open(inner) => inner.drain(now),
            Stage::Listening { heard, .. } if heard.is_empty() => self.stage = Stage::Closed,
            Stage::Listening { .. } | Stage::Closed => {}
        }
    }

    fn cut(&mut self, now: Duration) {
        if let Stage::Open(inner) = &mut self.stage {
            inner.cut(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Counts the bytes that it gets.
    struct Counter(Rc<Cell<usize>>);

    impl Protocol for Counter {
        fn receive(&mut self, _now: Duration, input: Input<'_>) {
            if let Input::Bytes(bytes) = input {
                self.0.set(self.0.get() + bytes.len());
            }
        }

        fn advance(&mut self, _now: Duration) {}

        fn transmit(&mut self, _out: &mut Vec<u8>) -> Flow {
            Flow::Open
        }

        fn deadline(&self) -> Option<Duration> {
            None
        }
    }

    /// What bytes in these pieces are taken for.
    fn told(pieces: &[&[u8]]) -> Option<Spoken> {
        let (told, count) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
        let (tell, counted) = (Rc::clone(&told), Rc::clone(&count));
        let open = move |spoken, _| -> Box<dyn Protocol> {
            tell.set(Some(spoken));
            Box::new(Counter(counted))
        };
        let mut front = Front::new(Duration::ZERO, PATIENCE, Box::new(open));
        for piece in pieces {
            front.receive(Duration::ZERO, Input::Bytes(piece));
        }
        if told.get().is_some() {
            let all: usize = pieces.iter().map(|piece| piece.len()).sum();
            assert_eq!(count.get(), all, "each byte is handed on once");
        }
        told.get()
    }

    #[test]
    fn the_first_bytes_tell() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for (text, spoken) in [
            (&preface[..], Some(Spoken::Http2)),
            (&preface[..15], None),
            (&preface[..16], Some(Spoken::Http2)),
            (b"GET / HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"G", Some(Spoken::Http1)),
            (b"POST / HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"PRI * HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"PR", None),
        ] {
            for at in 0..=text.len() {
                assert_eq!(told(&[&text[..at], &text[at..]]), spoken, "at {at}");
            }
            let single: Vec<_> = text.chunks(1).collect();
            assert_eq!(told(&single), spoken);
        }
    }

    #[test]
    fn who_says_nothing_is_not_waited_for() {
        let front = || {
            let open = |_, _| -> Box<dyn Protocol> { Box::new(Counter(Rc::default())) };
            Front::new(Duration::ZERO, PATIENCE, Box::new(open))
        };
        let mut out = Vec::new();
        let mut slow = front();
        assert_eq!(slow.deadline(), Some(PATIENCE));
        slow.receive(Duration::ZERO, Input::Bytes(b"PRI"));
        slow.advance(PATIENCE - Duration::from_nanos(1));
        assert_eq!(slow.transmit(&mut out), Flow::Open);
        slow.advance(PATIENCE);
        assert_eq!(slow.transmit(&mut out), Flow::Close);
        let mut gone = front();
        gone.receive(Duration::ZERO, Input::End);
        assert_eq!(gone.transmit(&mut out), Flow::Close);
        let mut drained = front();
        drained.drain(Duration::ZERO);
        assert_eq!(drained.transmit(&mut out), Flow::Close);
    }
}
