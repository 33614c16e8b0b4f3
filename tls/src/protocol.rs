//! TLS on a socket: records on the outside, plain bytes of the wrapped protocol on the inside.

mod records;

use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol, give_buffer, take_buffer};

use crate::error::Error;
use crate::handshake::{Handshake, Inside};
use crate::role::Role;
use records::Met;

/// Longest time that a drain waits for a handshake in progress, which has no calls yet.
const DRAIN_HANDSHAKE_MAX: Duration = Duration::from_secs(1);

/// State of the connection.
enum Stage {
    Handshake {
        /// Deadline of the handshake.
        until: Duration,
        /// True if the peer has sent any byte.
        begun: bool,
    },
    Open {
        inner: Box<dyn Protocol>,
        /// True if the inner protocol has received the end of input.
        ended: bool,
    },
    /// Failed: nothing more is received, and only an alert is left to send.
    Failed,
}

/// Settings of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// True if a peer that negotiates no application protocol is refused.
    pub(crate) alpn: bool,
    pub(crate) handshake_timeout: Duration,
}

/// TLS connection around the protocol that [`Inside`] creates after the handshake.
pub(crate) struct Tls<R: Role> {
    role: R,
    inside: Box<dyn Inside>,
    stage: Stage,
    terms: Terms,
    /// Incomplete records, in a buffer of the shard's pool that is returned when empty.
    incoming: Vec<u8>,
    /// Records of handshake, alerts and other control data to send.
    outgoing: Vec<u8>,
    /// Peer name in logs.
    peer: Rc<str>,
    draining: bool,
    /// True if the peer may have been cut off: the connection closes after the remaining output.
    truncated: bool,
}

impl<R: Role> Tls<R> {
    pub(crate) fn new(
        role: R,
        terms: Terms,
        peer: Rc<str>,
        inside: Box<dyn Inside>,
        now: Duration,
    ) -> Self {
        let until = now + terms.handshake_timeout;
        let mut tls = Self {
            role,
            inside,
            stage: Stage::Handshake {
                until,
                begun: false,
            },
            terms,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            peer,
            draining: false,
            truncated: false,
        };
        // A client speaks first.
        tls.process(now);
        tls
    }

    fn receive_bytes(&mut self, now: Duration, bytes: &[u8]) {
        if let Stage::Handshake { begun, .. } = &mut self.stage
            && !std::mem::replace(begun, true)
            && bytes
                .first()
                .is_some_and(|first| !R::may_begin_with(*first))
        {
            let answer = self.inside.answer_plaintext(bytes);
            self.outgoing.extend_from_slice(&answer);
            return self.fail(now, Error::Plaintext);
        }
        if self.incoming.capacity() == 0 {
            self.incoming = take_buffer();
        }
        // The one copy on the way in: records are decrypted in place, and the input is read-only.
        self.incoming.extend_from_slice(bytes);
        self.process(now);
    }

    /// Processes the received records until more input is needed.
    fn process(&mut self, now: Duration) {
        let mut at = 0;
        while !matches!(self.stage, Stage::Failed) {
            let (used, met) = self.step(now, at);
            at += used;
            if matches!(met, Met::More) {
                continue;
            }
            // The next step may read the records again, from the first unprocessed one.
            self.incoming.drain(..at.min(self.incoming.len()));
            at = 0;
            match met {
                Met::More => {}
                Met::Data => self.open(now),
                Met::PeerClosed => {
                    if self.is_to_open() {
                        self.open(now);
                    }
                    self.end(now);
                }
                Met::Rest if self.is_to_open() => self.open(now),
                Met::Rest => break,
                Met::Failed(error) => self.fail(now, error),
            }
        }
        if self.incoming.is_empty() {
            give_buffer(std::mem::take(&mut self.incoming));
        }
    }

    /// Returns true if the handshake is done and the inner protocol is not created yet.
    fn is_to_open(&self) -> bool {
        matches!(self.stage, Stage::Handshake { .. }) && !self.role.state().is_handshaking()
    }

    fn open(&mut self, now: Duration) {
        let handshake = Handshake::of(&self.role);
        if self.terms.alpn && handshake.alpn.is_empty() {
            return self.refuse(now, Error::Alpn);
        }
        tracing::trace!(
            peer = &*self.peer,
            version = handshake.version,
            cipher = handshake.cipher,
            alpn = %handshake.alpn.escape_ascii(),
            resumed = handshake.resumed,
            "TLS handshake done"
        );
        let mut inner = self.inside.open(handshake);
        if self.draining {
            inner.drain(now);
        }
        let ended = false;
        self.stage = Stage::Open { inner, ended };
    }

    /// Ends a connection for a reason that is not an error of TLS.
    fn refuse(&mut self, now: Duration, error: Error) {
        let mut last = std::mem::take(&mut self.outgoing);
        // A failure to send `close_notify` has no consequence.
        let _ = self.seal(&[], Flow::Close, &mut last);
        self.outgoing = last;
        self.fail(now, error);
    }

    /// Handles the end of the peer's data.
    fn end(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Open { inner, ended } => {
                if !std::mem::replace(ended, true) {
                    inner.receive(now, Input::End);
                }
            }
            Stage::Handshake { .. } => self.fail(now, Error::Ended),
            Stage::Failed => {}
        }
    }

    /// Handles the end of the socket, which a correct peer announces with `close_notify` first.
    fn socket_ended(&mut self, now: Duration) {
        if let Stage::Open { ended: false, .. } = self.stage {
            tracing::debug!(peer = &*self.peer, "{}", Error::Truncated);
            self.truncated = true;
            self.inside.fail(&Error::Truncated);
        }
        self.end(now);
    }

    /// Ends the connection, with the alert that rustls has for this error, if any.
    fn fail(&mut self, now: Duration, error: Error) {
        tracing::debug!(peer = &*self.peer, %error, "TLS connection failed");
        self.collect_alert();
        give_buffer(std::mem::take(&mut self.incoming));
        self.inside.fail(&error);
        self.end_inner(now);
    }

    fn end_inner(&mut self, now: Duration) {
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        if let Stage::Open { mut inner, ended } = stage
            && !ended
        {
            inner.receive(now, Input::End);
        }
    }

    /// Encrypts the output of the inner protocol.
    fn transmit_inner(&mut self, out: &mut Vec<u8>) -> Flow {
        let Stage::Open { inner, .. } = &mut self.stage else {
            return Flow::Open;
        };
        let mut plain = take_buffer();
        let inner_flow = inner.transmit(&mut plain);
        let flow = if self.truncated {
            Flow::Close
        } else {
            inner_flow
        };
        let sealed = self.seal(&plain, flow, out);
        give_buffer(plain);
        match sealed {
            Ok(()) => flow,
            Err(error) => {
                tracing::debug!(peer = &*self.peer, %error, "failed to encrypt");
                self.inside.fail(&error);
                self.stage = Stage::Failed;
                Flow::Close
            }
        }
    }
}

impl<R: Role> Protocol for Tls<R> {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        match input {
            // RFC 8446, section 6.1: what follows a closure alert is ignored.
            Input::Bytes(_)
                if matches!(self.stage, Stage::Failed | Stage::Open { ended: true, .. }) => {}
            Input::Bytes(bytes) => self.receive_bytes(now, bytes),
            Input::End => self.socket_ended(now),
        }
    }

    fn advance(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Handshake { until, .. } if *until <= now => {
                let limit = self.terms.handshake_timeout;
                self.fail(now, Error::Slow(limit));
            }
            Stage::Open { inner, .. } => inner.advance(now),
            Stage::Handshake { .. } | Stage::Failed => {}
        }
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if out.is_empty() {
            std::mem::swap(out, &mut self.outgoing);
        } else {
            out.append(&mut self.outgoing);
        }
        give_buffer(std::mem::take(&mut self.outgoing));
        match self.stage {
            Stage::Failed => Flow::Close,
            Stage::Handshake { .. } => Flow::Open,
            Stage::Open { .. } => self.transmit_inner(out),
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Handshake { until, .. } => Some(*until),
            Stage::Open { inner, .. } => inner.deadline(),
            Stage::Failed => None,
        }
    }

    fn wants_input(&self) -> bool {
        match &self.stage {
            Stage::Open { inner, .. } => inner.wants_input(),
            // A handshake writes little, and its time is bounded.
            Stage::Handshake { .. } | Stage::Failed => true,
        }
    }

    fn has_backlog(&self) -> bool {
        matches!(&self.stage, Stage::Open { inner, .. } if inner.has_backlog())
    }

    /// Lets a handshake in progress finish first, so that its peer gets GOAWAY and is not cut off.
    fn drain(&mut self, now: Duration) {
        self.draining = true;
        match &mut self.stage {
            Stage::Handshake { until, .. } => *until = (*until).min(now + DRAIN_HANDSHAKE_MAX),
            Stage::Open { inner, .. } => inner.drain(now),
            Stage::Failed => {}
        }
    }

    fn cut(&mut self, now: Duration) {
        if let Stage::Open { inner, .. } = &mut self.stage {
            inner.cut(now);
        }
    }
}
