//! Protocol detection, once per connection. HTTP/2 starts with its preface, TLS with a handshake
//! record; everything else is HTTP/1.1.

use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};

use super::wrong_port::answer_tls;

/// Start of the HTTP/2 preface (RFC 9113 §3.4). No HTTP/1.1 request begins with it, because of the
/// version that it names.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// First byte of a TLS record with a ClientHello (RFC 8446 §5.1); no HTTP method has it.
const TLS_HANDSHAKE: u8 = 22;

/// Longest wait for the first bytes once the server drains. Bytes in flight still get a response,
/// and an unused connection does not delay the drain.
const DRAIN_FIRST_BYTES_MAX: Duration = Duration::from_secs(1);

/// Client whose protocol is not detected yet, and the connections that it can become.
pub(crate) trait Guest {
    /// Connection of a caller that speaks HTTP/1.1.
    type Http1: Protocol;
    /// Connection of a caller that speaks HTTP/2.
    type Http2: Protocol;

    /// Opens a connection of HTTP/1.1.
    fn http1(self, now: Duration) -> Self::Http1;

    /// Opens a connection of HTTP/2.
    fn http2(self, now: Duration) -> Self::Http2;

    /// Records that the client is rejected.
    fn turn_away(self, why: Stranger);
}

/// Reason to close a connection before its protocol is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// The first bytes did not come in time.
    Silent,
    /// The first bytes are TLS, which this listener does not speak.
    Tls,
}

/// Socket that waits for the first bytes of its client, then becomes the detected connection.
pub(crate) struct Front<G: Guest> {
    stage: Stage<G>,
    draining: bool,
}

enum Stage<G: Guest> {
    Waiting {
        /// Number of bytes of [`PREFACE`] received so far. They need no buffer, because they are
        /// known.
        matched: usize,
        until: Option<Duration>,
        guest: G,
    },
    Http2(G::Http2),
    Http1(Box<G::Http1>),
    /// Closed, with these bytes left to send.
    Closed(Vec<u8>),
}

impl<G: Guest> Front<G> {
    /// Creates a front that waits up to `patience` for the first bytes.
    pub(crate) fn new(now: Duration, patience: Duration, guest: G) -> Self {
        Self {
            stage: Stage::Waiting {
                matched: 0,
                until: now.checked_add(patience),
                guest,
            },
            draining: false,
        }
    }

    #[cold]
    fn detect(&mut self, now: Duration, bytes: &[u8]) {
        let Stage::Waiting { matched, .. } = &mut self.stage else {
            return;
        };
        let before = *matched;
        let due = &PREFACE[before..];
        let same = bytes.iter().zip(due).take_while(|(a, b)| a == b).count();
        if same == bytes.len() && same < due.len() {
            *matched += same;
            return;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Closed(Vec::new()));
        let Stage::Waiting { guest, .. } = stage else {
            return;
        };
        if same == due.len() {
            let inner = begin(guest.http2(now), now, before, bytes, self.draining);
            self.stage = Stage::Http2(inner);
        } else if before == 0 && bytes.first() == Some(&TLS_HANDSHAKE) {
            guest.turn_away(Stranger::Tls);
            self.stage = Stage::Closed(answer_tls());
        } else {
            let inner = begin(guest.http1(now), now, before, bytes, self.draining);
            self.stage = Stage::Http1(Box::new(inner));
        }
    }

    fn close(&mut self) {
        self.stage = Stage::Closed(Vec::new());
    }

    #[cold]
    fn expire(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed(Vec::new()));
        if let Stage::Waiting { guest, .. } = stage
            && !self.draining
        {
            guest.turn_away(Stranger::Silent);
        }
    }
}

/// Passes the first bytes to a new connection; the first `matched` bytes of the preface came
/// earlier.
fn begin<P: Protocol>(
    mut inner: P,
    now: Duration,
    matched: usize,
    bytes: &[u8],
    draining: bool,
) -> P {
    if matched > 0 {
        inner.receive(now, Input::Bytes(&PREFACE[..matched]));
    }
    inner.receive(now, Input::Bytes(bytes));
    if draining {
        inner.drain(now);
    }
    inner
}

impl<G: Guest> Protocol for Front<G> {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        match (&mut self.stage, input) {
            (Stage::Http2(inner), input) => inner.receive(now, input),
            (Stage::Http1(inner), input) => inner.receive(now, input),
            (Stage::Waiting { .. }, Input::Bytes(bytes)) => self.detect(now, bytes),
            (Stage::Waiting { .. }, Input::End) => self.close(),
            (Stage::Closed(_), _) => {}
        }
    }

    fn advance(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Http2(inner) => inner.advance(now),
            Stage::Http1(inner) => inner.advance(now),
            Stage::Waiting { until, .. } if until.is_some_and(|until| until <= now) => {
                self.expire();
            }
            Stage::Waiting { .. } | Stage::Closed(_) => {}
        }
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        match &mut self.stage {
            Stage::Http2(inner) => inner.transmit(out),
            Stage::Http1(inner) => inner.transmit(out),
            Stage::Waiting { .. } => Flow::Open,
            Stage::Closed(last) => {
                out.append(last);
                Flow::Close
            }
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Http2(inner) => inner.deadline(),
            Stage::Http1(inner) => inner.deadline(),
            Stage::Waiting { until, .. } => *until,
            Stage::Closed(_) => None,
        }
    }

    fn wants_input(&self) -> bool {
        match &self.stage {
            Stage::Http2(inner) => inner.wants_input(),
            Stage::Http1(inner) => inner.wants_input(),
            Stage::Waiting { .. } | Stage::Closed(_) => true,
        }
    }

    fn has_backlog(&self) -> bool {
        match &self.stage {
            Stage::Http2(inner) => inner.has_backlog(),
            Stage::Http1(inner) => inner.has_backlog(),
            Stage::Waiting { .. } | Stage::Closed(_) => false,
        }
    }

    fn drain(&mut self, now: Duration) {
        self.draining = true;
        match &mut self.stage {
            Stage::Http2(inner) => inner.drain(now),
            Stage::Http1(inner) => inner.drain(now),
            Stage::Waiting { until, .. } => {
                let bound = now + DRAIN_FIRST_BYTES_MAX;
                *until = Some(until.map_or(bound, |until| until.min(bound)));
            }
            Stage::Closed(_) => {}
        }
    }

    fn cut(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Http2(inner) => inner.cut(now),
            Stage::Http1(inner) => inner.cut(now),
            Stage::Waiting { .. } | Stage::Closed(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
