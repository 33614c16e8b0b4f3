//! HTTP/2 session of one connection: turns events into responses, and calls into output.

mod farewell;
mod known;
mod opening;
mod response;
mod streams;

pub(crate) use opening::Unopened;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corespun_codec::{Encodings, Status};
use corespun_http2::{Config as Http2Config, ConnectionError, ErrorCode, Event, Role, StreamKey};
use corespun_runtime::Flow;

use crate::bell::Bell;
use crate::call::{Call, Failure};
use crate::config::Config;
use crate::deadline::expired;
use crate::keepalive;
use crate::outgoing::RequestBlocks;
use known::Known;
use opening::Queue;

/// State of a connection.
enum Phase {
    /// The server's first SETTINGS have not arrived.
    Handshake(Vec<Waker>),
    /// New calls are accepted.
    Open,
    /// Calls in progress finish; new ones use another connection.
    Leaving,
    /// The connection has ended.
    Ended(Status),
}

/// One connection without its socket.
pub(crate) struct Session {
    http2: corespun_http2::Connection,
    /// Calls, by stream slot.
    calls: Vec<Option<Call>>,
    requests: RequestBlocks,
    /// Parsed heads and trailers of responses, by memo slot.
    known: Known,
    /// Calls that wait for a stream.
    queue: Queue,
    /// Deadlines of the calls, in order.
    deadlines: BTreeSet<(Duration, u64)>,
    phase: Phase,
    bell: Rc<Bell>,
    rung: Vec<u64>,
    /// Peer name used in error messages.
    peer: Rc<str>,
    message_bytes_max: usize,
    accept_encodings: Encodings,
}

impl Session {
    pub(crate) fn new(authority: Rc<str>, peer: Rc<str>, config: &Config, bell: Rc<Bell>) -> Self {
        let mut limits = config.http2.clone();
        // One message of the largest size must fit.
        limits.received_bytes_max = limits.received_bytes_max.max(config.message_bytes_max);
        // An attempt to connect has its own time limit, which includes the server's SETTINGS.
        limits.first_settings_time_max = config.connect_timeout;
        let http2 = Http2Config {
            role: Role::Client,
            limits,
        };
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let mut http2 = corespun_http2::Connection::new(http2);
        http2.keep_alive(keepalive::of(config));
        Self {
            http2,
            calls: Vec::new(),
            requests: RequestBlocks::new(scheme, authority, config.accept_encodings),
            known: Known::default(),
            queue: Queue::default(),
            deadlines: BTreeSet::new(),
            phase: Phase::Handshake(Vec::new()),
            bell,
            rung: Vec::new(),
            peer,
            message_bytes_max: config.message_bytes_max,
            accept_encodings: config.accept_encodings,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(crate) fn poll_established(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        match &mut self.phase {
            Phase::Handshake(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Leaving => Poll::Ready(Err(self.leaving())),
            Phase::Ended(status) => Poll::Ready(Err(status.clone())),
        }
    }

    /// Changes the phase, and wakes the futures that wait for it.
    fn enter(&mut self, phase: Phase) {
        let before = std::mem::replace(&mut self.phase, phase);
        if let Phase::Handshake(waiting) = before {
            waiting.into_iter().for_each(Waker::wake);
        }
        if !self.is_open() {
            self.queue.wake_all();
        }
    }

    /// Returns true if the server has ended the connection because of too many PINGs.
    pub(crate) fn is_told_off(&self) -> bool {
        self.http2.is_told_off()
    }

    /// Returns the peer name used in error messages.
    pub(crate) fn peer(&self) -> &Rc<str> {
        &self.peer
    }

    /// Ends all calls and the connection at once.
    pub(crate) fn end(&mut self, status: Status) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        self.deadlines.clear();
        for call in self.calls.drain(..).flatten() {
            call.fail(status.clone().into());
        }
        self.enter(Phase::Ended(status));
    }

    /// Starts no more calls; the socket closes when those in progress have ended.
    pub(crate) fn retire(&mut self) {
        if matches!(self.phase, Phase::Handshake(_) | Phase::Open) {
            self.lend_output();
            self.http2.go_away(ErrorCode::NO_ERROR);
            self.enter(Phase::Leaving);
        }
    }

    /// Lends HTTP/2 a buffer from the shard's pool, so that an idle connection owns none.
    fn lend_output(&mut self) {
        if self.http2.wants_output() {
            self.http2.lend_output(corespun_runtime::take_buffer());
        }
    }

    pub(crate) fn receive(&mut self, now: Duration, mut input: &[u8]) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        self.lend_output();
        loop {
            match self.http2.receive(now, &mut input) {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => return,
                Err(error) => return self.fail(&error),
            }
        }
    }

    /// Ends the connection, because the server violated the protocol or a timeout passed.
    fn fail(&mut self, error: &ConnectionError) {
        tracing::debug!(peer = &*self.peer, %error, "connection ends");
        let status = self.broken(error);
        self.end(status);
    }

    /// Advances the timers of HTTP/2.
    fn advance_http2(&mut self, now: Duration) {
        loop {
            match self.http2.advance(now) {
                Ok(Some(Event::Reset {
                    stream,
                    code,
                    local,
                })) => self.on_reset(now, stream, code, local),
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.fail(&error),
            }
        }
    }

    fn on_event(&mut self, now: Duration, event: Event<'_>) {
        match event {
            Event::Headers {
                stream,
                block,
                end_stream,
            } => self.on_head(stream, block, end_stream),
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => self.on_data(stream, bytes, end_stream),
            Event::Trailers { stream, block } => self.on_trailers(stream, block),
            Event::Reset {
                stream,
                code,
                local,
            } => self.on_reset(now, stream, code, local),
            Event::GoAway { last, code } => self.on_go_away(last, code),
            Event::SettingsChanged if matches!(self.phase, Phase::Handshake(_)) => {
                self.enter(Phase::Open);
            }
            Event::SettingsChanged => self.wake_next(),
            Event::PingAck(_) => {}
        }
    }

    /// Handles GOAWAY: the server accepts no new streams, and has not processed those above `last`.
    fn on_go_away(&mut self, last: u32, code: ErrorCode) {
        tracing::debug!(peer = &*self.peer, last, %code, "the server is going away");
        let unseen: Vec<StreamKey> = open_calls(&self.calls)
            .filter(|stream| stream.id > last)
            .collect();
        for stream in unseen {
            if let Some(call) = self.take_call(stream) {
                self.http2.reset(stream, ErrorCode::CANCEL);
                call.fail(Failure {
                    status: self.unseen(),
                    unprocessed: true,
                });
            }
        }
        self.enter(Phase::Leaving);
    }

    pub(crate) fn advance(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        self.lend_output();
        self.advance_http2(now);
        while let Some(&(due, token)) = self.deadlines.first()
            && due <= now
        {
            self.deadlines.pop_first();
            self.give_up(StreamKey::from_token(token), expired());
        }
        let mut rung = std::mem::take(&mut self.rung);
        self.bell.swap_rung(&mut rung);
        for token in rung.drain(..) {
            self.on_rung(StreamKey::from_token(token));
        }
        self.rung = rung;
    }

    pub(crate) fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        while let Some(stream) = self.http2.next_drained() {
            self.move_output(stream);
        }
        if self.http2.has_output() {
            self.bell.touch();
        }
        if let Some(spare) = self.http2.take_spare_output() {
            corespun_runtime::give_buffer(spare);
        }
        let finished = match self.phase {
            Phase::Handshake(_) | Phase::Open => false,
            Phase::Leaving => self.http2.open_streams() == 0 && !self.http2.has_output(),
            Phase::Ended(_) => true,
        };
        if finished { Flow::Close } else { Flow::Open }
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.http2.wants_input()
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        let due = self.deadlines.first().map(|(due, _)| *due);
        [due, self.http2.deadline()].into_iter().flatten().min()
    }

    /// Puts a call into its stream's slot. A previous entry belongs to a stream that has ended.
    pub(crate) fn put_call(&mut self, stream: StreamKey, call: Call) {
        debug_assert_eq!(call.id, stream.id);
        let slot = stream.slot as usize;
        if slot >= self.calls.len() {
            self.calls.resize_with(slot + 1, || None);
        }
        if let Some(deadline) = call.deadline {
            self.deadlines.insert((deadline, stream.to_token()));
        }
        self.calls[slot] = Some(call);
    }

    /// Takes the call of a stream out of its slot.
    fn take_call(&mut self, stream: StreamKey) -> Option<Call> {
        let place = self.calls.get_mut(stream.slot as usize)?;
        let call = place.take_if(|call| call.id == stream.id)?;
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, stream.to_token()));
        }
        Some(call)
    }

    /// Ends a call by a local decision.
    fn give_up(&mut self, stream: StreamKey, status: Status) {
        if let Some(call) = self.take_call(stream) {
            self.http2.reset(stream, ErrorCode::CANCEL);
            call.abort(status);
            self.wake_next();
        }
    }
}

/// Returns the streams that have a call.
fn open_calls(calls: &[Option<Call>]) -> impl Iterator<Item = StreamKey> {
    calls.iter().enumerate().filter_map(|(slot, call)| {
        let id = call.as_ref()?.id;
        Some(StreamKey {
            slot: slot as u32,
            id,
        })
    })
}
