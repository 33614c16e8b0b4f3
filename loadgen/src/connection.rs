//! The protocol on each socket: sends calls when they are due and judges what comes back.
//!
//! Requests are encoded before the run and copied from then on; a response is walked, not
//! decoded. Only while the target warms up, and all the time under `--strict`, responses are
//! decoded by the schema, as a check that the server and the generator speak of the same messages.
//! A warm unary call allocates nothing.

mod exchange;
mod limits;
mod meaning;
mod validator;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Encoding, Kind, Status};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config, Connection, ErrorCode, Event, OpenError, StreamKey};
use corespun_runtime::{Flow, Input, Protocol};

use crate::core::CoreState;
use crate::error::LoadError;
use crate::lane::{Call, Lane, Link};
use crate::outcome::Outcome;
use crate::response::Trailers;
use exchange::Exchange;
use meaning::Meanings;
use validator::Validator;

/// One connection to the target.
pub(crate) struct LoadConnection {
    core: Rc<CoreState>,
    lane: Rc<RefCell<Lane>>,
    http2: Connection,
    /// The encoded request heads, by their calls' places in the mix.
    blocks: Vec<BlockCache>,
    meanings: Meanings,
    /// What streaming calls are at, by stream slot.
    exchanges: Vec<Exchange>,
    validator: Validator,
    /// Where a request is made that is not encoded before the run.
    scratch: Vec<u8>,
    /// No call in flight runs out of time before this.
    expiry: Option<Duration>,
    /// When a call last could start again after none could.
    room_since: Duration,
    /// No call could start when that was last asked.
    was_full: bool,
    /// No new call may start here.
    retiring: bool,
    /// Nothing may happen here any more.
    over: bool,
}

impl LoadConnection {
    pub(crate) fn new(core: Rc<CoreState>, lane: Rc<RefCell<Lane>>) -> Self {
        let http2 = Connection::new(Config {
            limits: limits::limits(),
            ..Config::client()
        });
        Self {
            blocks: vec![BlockCache::default(); core.plan.mix.calls().len()],
            core,
            lane,
            http2,
            meanings: Meanings::default(),
            exchanges: Vec::new(),
            validator: Validator::default(),
            scratch: Vec::new(),
            expiry: None,
            room_since: Duration::ZERO,
            was_full: true,
            retiring: false,
            over: false,
        }
    }

    fn on_event(&mut self, now: Duration, event: Event<'_>) {
        match event {
            Event::Headers {
                stream,
                block,
                end_stream,
            } => {
                let head = self.meanings.head(block, &self.http2);
                if let Some(call) = self.lane.borrow_mut().call(stream) {
                    call.first = Some(now);
                    call.head = head;
                }
                if end_stream {
                    self.finish(stream, now, head.alone());
                }
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                self.on_data(stream, bytes, now);
                self.http2.release(stream, bytes.len());
                if end_stream {
                    self.finish_by_trailers(stream, now, Trailers::NONE);
                }
            }
            Event::Trailers { stream, block } => {
                let trailers = self.meanings.trailers(block, &self.http2);
                self.finish_by_trailers(stream, now, trailers);
            }
            Event::Reset { stream, code, .. } => {
                let code = Status::from_reset(code.0).code();
                self.finish(stream, now, Outcome::Status(code));
            }
            Event::GoAway { last, .. } => self.on_go_away(last, now),
            Event::SettingsChanged => {
                self.core.allowed(self.http2.peer_streams_max());
                self.lane.borrow_mut().set_link(Link::Up);
            }
            Event::PingAck(_) => {}
        }
    }

    /// A piece of a response: follows its messages, and in a streaming call answers them.
    fn on_data(&mut self, stream: StreamKey, bytes: &[u8], now: Duration) {
        let mut lane = self.lane.borrow_mut();
        let Some(call) = lane.call(stream) else {
            return;
        };
        let made = &self.core.plan.mix.calls()[call.place];
        let encoded = call.head.encoding() != Encoding::Identity;
        let came = match call.validated {
            false => call.body.push(bytes, encoded, |_| {}),
            true => match self.validator.push(call, bytes, &made.method) {
                Ok(came) => came,
                Err(error) => return self.core.misfit(call, error),
            },
        };
        if made.kind == Kind::Unary || came == 0 {
            return;
        }
        let sent = call.sent;
        drop(lane);
        let exchange = &mut self.exchanges[stream.slot as usize];
        self.core.heard(exchange, made.kind, came, sent, now);
        self.feed(stream, now);
    }

    fn finish_by_trailers(&mut self, stream: StreamKey, now: Duration, trailers: Trailers) {
        let head = self.lane.borrow_mut().call(stream).map(|call| call.head);
        if let Some(head) = head {
            self.finish(stream, now, head.ended(trailers));
        }
    }

    /// A call has ended: counts it, and gives its stream back.
    fn finish(&mut self, stream: StreamKey, now: Duration, outcome: Outcome) {
        let Some(call) = self.lane.borrow_mut().end(stream) else {
            return;
        };
        let kind = self.core.plan.mix.calls()[call.place].kind;
        let outcome = match outcome {
            Outcome::OK if !call.body.fits(kind) => Outcome::Malformed,
            outcome => outcome,
        };
        self.core.ended(call.place, call.times(now), outcome);
        if call.validated && outcome == Outcome::OK {
            self.validator.satisfied();
        }
        if let Some(exchange) = self.exchanges.get_mut(stream.slot as usize) {
            exchange.end();
        }
        // A response may end before its request has been sent in full.
        if self.http2.is_open(stream) {
            self.http2.reset(stream, ErrorCode::CANCEL);
        }
    }

    /// The peer will not process streams above `last`: their calls have failed, and new ones
    /// wait for the next connection.
    fn on_go_away(&mut self, last: u32, now: Duration) {
        self.retiring = true;
        self.finish_all(now, Code::Unavailable, |call| call.stream.id > last);
    }

    fn finish_all(&mut self, now: Duration, code: Code, wanted: impl Fn(&Call) -> bool) {
        let mut slot = 0;
        loop {
            let found = self.lane.borrow().find(slot, &wanted);
            let Some(stream) = found else { return };
            self.finish(stream, now, Outcome::Status(code));
            slot = stream.slot + 1;
        }
    }

    /// A call could start here, if one is due.
    fn may_start(&self) -> bool {
        !self.over
            && !self.retiring
            && self.http2.is_established()
            && self.http2.can_open()
            && self.lane.borrow().has_room()
    }

    /// Sends every call that is due and finds room.
    fn start_due(&mut self, now: Duration) {
        if self.was_full && self.may_start() {
            self.room_since = now;
        }
        self.start_while_room(now);
        self.was_full = !self.may_start();
    }

    fn start_while_room(&mut self, now: Duration) {
        let phases = self.core.phases.get();
        while self.may_start() {
            let due = self.lane.borrow_mut().due(now, &phases);
            let Some(intended) = due else { return };
            match self.start(intended, now) {
                Ok(()) => {}
                Err(Refusal::Stream(OpenError::AtPeerLimit)) => return,
                Err(Refusal::Stream(_)) => self.retiring = true,
                Err(Refusal::Request(error)) => return self.core.fail(error),
            }
        }
    }

    fn start(&mut self, intended: Duration, now: Duration) -> Result<(), Refusal> {
        let mix = &self.core.plan.mix;
        let (place, number) = self.lane.borrow_mut().chooser.next(mix);
        let made = &mix.calls()[place];
        let fields = made.fields.iter().map(|(name, value)| Field {
            name,
            value,
            indexing: Indexing::Index,
        });
        let mut rng = self.core.rng.borrow_mut();
        let stream = if made.kind.client_streams() {
            let block = Some(&mut self.blocks[place]);
            self.http2
                .open(fields, block, false)
                .map_err(Refusal::Stream)?
        } else {
            let frame = made.payloads.frame(number, &mut rng, &mut self.scratch);
            let frame = frame.map_err(Refusal::Request)?;
            let block = Some(&mut self.blocks[place]);
            let stream = self
                .http2
                .open(fields, block, false)
                .map_err(Refusal::Stream)?;
            match self.http2.data_in_place(stream, frame.len(), true) {
                Some(out) => out.extend_from_slice(frame),
                None => self.http2.send_data(stream, frame, true),
            }
            stream
        };
        drop(rng);
        let mut call = Call::new(stream, place, intended, now);
        call.ready = intended.max(self.room_since);
        if let Some(timeout) = made.timeout {
            call.deadline = now + timeout;
            self.expiry = self.expiry.into_iter().chain([call.deadline]).min();
        }
        call.validated = self.validator.wants(stream, self.core.validating(now));
        self.lane.borrow_mut().sent(call);
        if made.kind != Kind::Unary {
            self.begin_exchange(stream, place, number, now);
        }
        Ok(())
    }

    /// Ends the calls whose time has run out, as a caller's own clock does.
    fn expire(&mut self, now: Duration) {
        if self.expiry.is_none_or(|expiry| now < expiry) {
            return;
        }
        self.finish_all(now, Code::DeadlineExceeded, |call| call.deadline <= now);
        self.expiry = self.lane.borrow().next_deadline();
    }

    /// The connection has ended with calls in flight: they have failed.
    fn lose(&mut self, now: Duration, cause: String) {
        if self.over {
            return;
        }
        self.finish_all(now, Code::Unavailable, |_| true);
        self.over = true;
        self.lane.borrow_mut().set_link(Link::Down(cause));
    }
}

/// Why a call that was due was not sent.
enum Refusal {
    /// No stream can be opened.
    Stream(OpenError),
    /// There is no request to send.
    Request(LoadError),
}

impl Protocol for LoadConnection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(mut bytes) = input else {
            return self.lose(now, "the server closed the connection".to_owned());
        };
        loop {
            match self.http2.receive(now, &mut bytes) {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => break,
                Err(error) => return self.lose(now, error.to_string()),
            }
        }
        self.feed_drained(now);
        self.start_due(now);
    }

    fn advance(&mut self, now: Duration) {
        self.expire(now);
        self.start_due(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        self.refill(out);
        let retired = self.retiring && self.lane.borrow().in_flight() == 0;
        if self.over || retired {
            Flow::Close
        } else {
            Flow::Open
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let phases = self.core.phases.get();
        let due = self
            .may_start()
            .then(|| self.lane.borrow().next_due(&phases))
            .flatten();
        due.into_iter().chain(self.expiry).min()
    }
}

impl Drop for LoadConnection {
    fn drop(&mut self) {
        self.lose(
            corespun_runtime::now(),
            "the connection was closed".to_owned(),
        );
    }
}

#[cfg(test)]
mod tests;
