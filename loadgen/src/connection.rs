//! Protocol of each socket: sends calls when they are due, and classifies the responses.
//!
//! Requests are encoded before the run and then copied. Responses are parsed for their framing, but
//! not decoded. During the first half of the warm-up, and always under `--strict`, responses are
//! also decoded by the schema, to check that server and generator use the same messages. A unary
//! call allocates nothing after the warm-up.

mod exchange;
mod limits;
mod meaning;
mod start;
mod validator;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Encoding, Kind, Status};
use corespun_http2::{Block, BlockCache, Config, Connection, ErrorCode, Event, StreamKey};
use corespun_runtime::{Flow, Input, Protocol};

use crate::core::CoreState;
use crate::failures::presentable;
use crate::lane::{Call, Lane, Link};
use crate::outcome::Outcome;
use crate::response::Trailers;
use exchange::Exchange;
use meaning::Meanings;
use validator::Validator;

/// Connection to the target.
pub(crate) struct LoadConnection {
    core: Rc<CoreState>,
    lane: Rc<RefCell<Lane>>,
    /// Index of this connection's calls in the lane.
    berth: usize,
    http2: Connection,
    /// Encoded request heads, by the index of their call in the mix.
    blocks: Vec<BlockCache>,
    meanings: Meanings,
    /// State of streaming calls, by stream slot.
    exchanges: Vec<Exchange>,
    validator: Validator,
    /// Buffer for requests that are made during the run.
    scratch: Vec<u8>,
    /// Lower bound of the deadlines of the calls in flight.
    expiry: Option<Duration>,
    /// Last time at which calls could start again after all streams were in use.
    room_since: Duration,
    /// True if no call could start at the last check.
    was_full: bool,
    /// True if no new call may start here.
    retiring: bool,
    /// True if the connection has ended.
    over: bool,
}

impl LoadConnection {
    pub(crate) fn new(core: Rc<CoreState>, lane: Rc<RefCell<Lane>>, berth: usize) -> Self {
        let http2 = Connection::new(Config {
            limits: limits::limits(),
            ..Config::client()
        });
        Self {
            blocks: vec![BlockCache::default(); core.plan.mix.calls().len()],
            core,
            lane,
            berth,
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
                if let Some(call) = self.lane.borrow_mut().call(self.berth, stream) {
                    call.first = Some(now);
                    call.head = head;
                }
                if end_stream {
                    let outcome = head.alone();
                    let reason = self.reason(block, outcome);
                    self.finish(stream, now, outcome, reason);
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
                    self.finish_by_trailers(stream, now, Trailers::NONE, None);
                }
            }
            Event::Trailers { stream, block } => {
                let trailers = self.meanings.trailers(block, &self.http2);
                self.finish_by_trailers(stream, now, trailers, Some(block));
            }
            Event::Reset { stream, code, .. } => {
                let status = Status::from_reset(code.0);
                let reason = Some(Rc::from(presentable(status.message())));
                self.finish(stream, now, Outcome::Status(status.code()), reason);
            }
            Event::GoAway { last, code } => self.on_go_away(last, code, now),
            Event::SettingsChanged => {
                self.core.allowed(self.http2.peer_streams_max());
                self.lane.borrow_mut().set_link(self.berth, Link::Up);
            }
            Event::PingAck(_) => {}
        }
    }

    /// Handles a piece of a response: counts its messages and, in a streaming call, sends the next
    /// requests.
    fn on_data(&mut self, stream: StreamKey, bytes: &[u8], now: Duration) {
        let mut lane = self.lane.borrow_mut();
        let Some(call) = lane.call(self.berth, stream) else {
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

    fn finish_by_trailers(
        &mut self,
        stream: StreamKey,
        now: Duration,
        trailers: Trailers,
        block: Option<Block>,
    ) {
        let head = self
            .lane
            .borrow_mut()
            .call(self.berth, stream)
            .map(|call| call.head);
        if let Some(head) = head {
            let outcome = head.ended(trailers);
            let reason = block.and_then(|block| self.reason(block, outcome));
            self.finish(stream, now, outcome, reason);
        }
    }

    fn reason(&self, block: Block, outcome: Outcome) -> Reason {
        match outcome {
            Outcome::OK => None,
            _ => self.meanings.reason(block, &self.http2),
        }
    }

    /// Counts a call that has ended, and frees its stream.
    fn finish(&mut self, stream: StreamKey, now: Duration, outcome: Outcome, reason: Reason) {
        let Some(call) = self.lane.borrow_mut().end(self.berth, stream) else {
            return;
        };
        let kind = self.core.plan.mix.calls()[call.place].kind;
        let outcome = match outcome {
            Outcome::OK if !call.body.fits(kind) => Outcome::Malformed,
            outcome => outcome,
        };
        self.core.ended(call.place, call.times(now), outcome);
        if outcome != Outcome::OK {
            let reason = reason.or_else(|| call.head.reason().map(Rc::from));
            let text = reason.as_deref().unwrap_or(outcome.explanation());
            self.core.failed_with(call.intended, outcome, text);
        }
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

    /// Handles GOAWAY: the calls on streams above `last` have failed, and new calls use the next
    /// connection.
    fn on_go_away(&mut self, last: u32, code: ErrorCode, now: Duration) {
        self.retire();
        let said = self.http2.peer_go_away().map(|(_, data)| data.to_vec());
        let said = presentable(&String::from_utf8_lossy(&said.unwrap_or_default()));
        let reason = format!("the server sent GOAWAY ({code}) before it took the call: {said}");
        let reason = reason.trim_end_matches([':', ' ']).to_owned();
        let unavailable = (Code::Unavailable, reason.as_str());
        self.finish_all(now, unavailable, |call| call.stream.id > last);
    }

    /// Stops new calls here: the lane opens another connection, and calls in flight continue.
    fn retire(&mut self) {
        self.retiring = true;
        self.lane.borrow_mut().set_link(self.berth, Link::Retired);
    }

    fn finish_all(
        &mut self,
        now: Duration,
        (code, reason): (Code, &str),
        wanted: impl Fn(&Call) -> bool,
    ) {
        let mut slot = 0;
        loop {
            let found = self.lane.borrow().find(self.berth, slot, &wanted);
            let Some(stream) = found else { return };
            let reason = Some(Rc::from(reason));
            self.finish(stream, now, Outcome::Status(code), reason);
            slot = stream.slot + 1;
        }
    }

    /// Ends the calls whose deadline has passed.
    fn expire(&mut self, now: Duration) {
        if self.expiry.is_none_or(|expiry| now < expiry) {
            return;
        }
        let late = (Code::DeadlineExceeded, "no response came within --timeout");
        self.finish_all(now, late, |call| call.deadline <= now);
        self.expiry = self.lane.borrow().next_deadline(self.berth);
    }

    /// Fails all calls in flight, because the connection has ended.
    fn lose(&mut self, now: Duration, cause: String) {
        if self.over {
            return;
        }
        self.finish_all(now, (Code::Unavailable, &presentable(&cause)), |_| true);
        self.over = true;
        self.expiry = None;
        self.lane.borrow_mut().leave(self.berth, cause);
    }
}

/// Text of a failed call, if there is one.
type Reason = Option<Rc<str>>;

impl Protocol for LoadConnection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        if self.over {
            // Its berth in the lane may be the next connection's already.
            return;
        }
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
        let retired = self.retiring && self.lane.borrow().in_flight(self.berth) == 0;
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
