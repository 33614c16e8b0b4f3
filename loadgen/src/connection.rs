//! The protocol on each socket: sends calls when they are due and judges what comes back.
//!
//! The request is encoded once and copied from then on; a response is walked, not decoded. Only
//! the first response of each connection is decoded by the schema, as a check that the server
//! and the generator speak of the same messages. A warm call allocates nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Status};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{
    Block, BlockCache, Config, Connection, ErrorCode, Event, Limits, MEMO_SLOTS, OpenError,
    StreamKey,
};
use corespun_runtime::{Flow, Input, Protocol};

use crate::check::Check;
use crate::core::CoreState;
use crate::lane::{Call, Lane, Link};
use crate::outcome::Outcome;
use crate::response::{Head, Trailers};

/// One connection to the target.
pub(crate) struct LoadConnection {
    core: Rc<CoreState>,
    lane: Rc<RefCell<Lane>>,
    http2: Connection,
    request: BlockCache,
    heads: [Head; MEMO_SLOTS],
    trailers: [Trailers; MEMO_SLOTS],
    check: Check,
    /// No call in flight runs out of time before this.
    expiry: Option<Duration>,
    /// No new call may start here.
    retiring: bool,
    /// Nothing may happen here any more.
    over: bool,
}

impl LoadConnection {
    pub(crate) fn new(core: Rc<CoreState>, lane: Rc<RefCell<Lane>>) -> Self {
        Self {
            core,
            lane,
            http2: Connection::new(Config {
                limits: limits(),
                ..Config::client()
            }),
            request: BlockCache::default(),
            heads: [Head::NONE; MEMO_SLOTS],
            trailers: [Trailers::NONE; MEMO_SLOTS],
            check: Check::default(),
            expiry: None,
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
                let head = self.head(block);
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
                if let Some(call) = self.lane.borrow_mut().call(stream) {
                    call.body.push(bytes);
                }
                self.check.collect(stream, bytes);
                self.http2.release(stream, bytes.len());
                if end_stream {
                    self.finish_by_trailers(stream, now, Trailers::NONE);
                }
            }
            Event::Trailers { stream, block } => {
                let trailers = self.trailers(block);
                self.finish_by_trailers(stream, now, trailers);
            }
            Event::Reset { stream, code, .. } => {
                let code = Status::from_reset(code.0).code();
                self.finish(stream, now, Outcome::Status(code));
            }
            Event::GoAway { last, .. } => self.on_go_away(last, now),
            Event::SettingsChanged => self.lane.borrow_mut().set_link(Link::Up),
            Event::PingAck(_) => {}
        }
    }

    fn head(&mut self, block: Block) -> Head {
        match block {
            Block::Seen { memo } => self.heads[usize::from(memo)],
            Block::New { memo } => {
                let head = Head::read(self.http2.headers());
                if let Some(memo) = memo {
                    self.heads[usize::from(memo)] = head;
                }
                head
            }
        }
    }

    fn trailers(&mut self, block: Block) -> Trailers {
        match block {
            Block::Seen { memo } => self.trailers[usize::from(memo)],
            Block::New { memo } => {
                let trailers = Trailers::read(self.http2.headers());
                if let Some(memo) = memo {
                    self.trailers[usize::from(memo)] = trailers;
                }
                trailers
            }
        }
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
        let outcome = match outcome {
            Outcome::OK if !call.body.is_one_message() => Outcome::Malformed,
            outcome => outcome,
        };
        self.core.ended(call.times(now), outcome);
        if let Err(error) = self.check.conclude(stream, outcome, &self.core.plan.call) {
            self.core.fail(error);
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
        let phases = self.core.phases.get();
        while self.may_start() {
            let due = self.lane.borrow_mut().due(now, &phases);
            let Some(intended) = due else { return };
            match self.send_request() {
                Ok(stream) => self.lane.borrow_mut().sent(stream, intended, now),
                Err(OpenError::AtPeerLimit) => return,
                Err(OpenError::GoingAway | OpenError::IdsExhausted) => self.retiring = true,
            }
            if let Some(timeout) = self.core.plan.timeout {
                self.expiry.get_or_insert(now + timeout);
            }
        }
    }

    fn send_request(&mut self) -> Result<StreamKey, OpenError> {
        let fields = self.core.fields.iter().map(|(name, value)| Field {
            name,
            value,
            indexing: Indexing::Index,
        });
        let stream = self.http2.open(fields, Some(&mut self.request), false)?;
        let frame = self.core.plan.call.frame();
        match self.http2.data_in_place(stream, frame.len(), true) {
            Some(out) => out.extend_from_slice(frame),
            None => self.http2.send_data(stream, frame, true),
        }
        Ok(stream)
    }

    /// Ends the calls whose time has run out, as a caller's own clock does.
    fn expire(&mut self, now: Duration) {
        let Some(timeout) = self.core.plan.timeout else {
            return;
        };
        if self.expiry.is_none_or(|expiry| now < expiry) {
            return;
        }
        self.finish_all(now, Code::DeadlineExceeded, |call| {
            call.sent + timeout <= now
        });
        self.expiry = self.lane.borrow().oldest_sent().map(|sent| sent + timeout);
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
        self.start_due(now);
    }

    fn advance(&mut self, now: Duration) {
        self.expire(now);
        self.start_due(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
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

/// A client that measures must never be what holds a server back: windows as large as they get,
/// no budget for resets, and one flush for all that is due.
fn limits() -> Limits {
    const WINDOW_BYTES: u32 = 0x7fff_ffff;
    const UNBOUNDED: u32 = 1 << 30;
    Limits {
        stream_window_bytes: WINDOW_BYTES,
        connection_window_bytes: WINDOW_BYTES,
        reset_budget: UNBOUNDED,
        reset_budget_per_second: UNBOUNDED,
        output_bytes_high: 4 << 20,
        ..Limits::default()
    }
}
