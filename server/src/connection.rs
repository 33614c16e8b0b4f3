//! Server side of one connection: turns HTTP/2 events into calls, and replies into output.

mod backlog;
mod bounds;
mod ends;
mod interception;
mod life;
mod parking;
mod plain;
mod requests;
mod streams;
mod valve;
mod web;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::message::{Framing, Sending};
use corespun_codec::{Drain, Encodings, HeadError, PeerIdentity, RequestHead, Status, head};
use corespun_http2::{Config as Http2Config, Event, MEMO_SLOTS, Role, StreamKey, Token};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle};

use self::backlog::Backlog;
use self::life::Life;
use self::parking::Parking;
use self::web::TextBodies;
use crate::bell::Bell;
use crate::call::{Call, Known, ReplyForm, Target};
use crate::config::Config;
use crate::cut_off::CutCounts;
use crate::limit_stats::LimitCounts;
use crate::occupancy::Place;
use crate::plain::PlainHead;
use crate::reply::{Reply, ReplyBlocks};
use crate::routes::Routes;
use crate::tally::{Counted, Tally};
use crate::valve::Seat;
use crate::web::{Asked, GrpcWeb, WebForm};

/// Server side of a gRPC connection; a [`Protocol`] that any socket driver can run.
pub struct Connection {
    http2: corespun_http2::Connection,
    routes: Rc<Routes>,
    bell: Rc<Bell>,
    blocks: ReplyBlocks,
    /// Calls, by stream slot.
    calls: Vec<Call>,
    /// Parsed request heads, by memo slot.
    known: Vec<Option<Rc<Known>>>,
    peer: Option<Rc<str>>,
    identity: Option<Rc<PeerIdentity>>,
    message_bytes_max: usize,
    plain_body_bytes_max: usize,
    /// Default framing of sent messages.
    sending: Framing,
    accept_encodings: Encodings,
    /// Origins that may call by gRPC-Web; `None` serves no browsers.
    web: Option<GrpcWeb>,
    text_bodies: TextBodies,
    /// Moment at which the final GOAWAY of a drain is sent.
    drain_due: Option<Duration>,
    /// Moment of the next check of incomplete requests; may be earlier than needed.
    request_due: Option<Duration>,
    /// Longest time that an incomplete request may go without receiving a byte.
    request_progress_max: Duration,
    limit_counts: Option<Arc<LimitCounts>>,
    cut_counts: Option<CutCounts>,
    /// Slot of this connection in the server's connection count.
    place: Option<Place>,
    life: Option<Box<Life>>,
    /// Notifies calls that the connection drains.
    drain: Rc<Drain>,
    /// Counters for channelz, if the server offers it.
    tally: Option<Counted>,
    /// Scratch list of stream tokens taken from the bell; empty between uses.
    rung: Vec<u64>,
    backlog: Backlog,
    /// Bytes of output after which the rest of the input waits for the next turn.
    turn_output_bytes_max: usize,
    /// Bytes of requests that may wait for interceptors before no further calls are started.
    kept_bytes_max: usize,
    /// Complete requests that wait for space for their reply.
    parking: Parking,
    /// Registration in the memory accounting of the shard, if the connection has a valve.
    seat: Option<Seat>,
    closing: bool,
}

impl Connection {
    /// Creates a connection that serves `routes` to `peer`; tasks wake it through `socket`.
    pub fn new(
        routes: Rc<Routes>,
        config: &Config,
        peer: Option<Rc<str>>,
        socket: SocketHandle,
        now: Duration,
    ) -> Self {
        let mut limits = config.http2.clone();
        // One message of the largest size must fit.
        limits.received_bytes_max = limits.received_bytes_max.max(config.message_bytes_max);
        let request_progress_max = limits.request_progress_time_max;
        let kept_bytes_max = limits.received_bytes_max;
        let turn_output_bytes_max = limits.output_bytes_high.max(1);
        let mut connection = Self {
            http2: corespun_http2::Connection::new(Http2Config {
                role: Role::Server,
                limits,
            }),
            routes,
            bell: Rc::new(Bell::new(socket)),
            blocks: ReplyBlocks::default(),
            calls: Vec::new(),
            known: Vec::new(),
            peer,
            identity: None,
            message_bytes_max: config.message_bytes_max,
            plain_body_bytes_max: config.plain_body_bytes_max,
            sending: Framing {
                encoding: config.encoding,
                bytes_max: config.send_bytes_max,
            },
            accept_encodings: config.accept_encodings,
            web: config.grpc_web.clone(),
            text_bodies: TextBodies::default(),
            drain_due: None,
            request_due: None,
            request_progress_max,
            limit_counts: None,
            cut_counts: None,
            place: None,
            life: None,
            drain: Rc::default(),
            tally: None,
            rung: Vec::new(),
            backlog: Backlog::default(),
            turn_output_bytes_max,
            kept_bytes_max,
            parking: Parking::default(),
            seat: None,
            closing: false,
        };
        // The time for the peer's preface begins now, not with its first byte.
        connection.advance_http2(now);
        connection.live(&config.lifetime, now);
        connection
    }

    /// Counts the limits that the peer exceeds in the counters of a shard.
    pub(crate) fn counting_in(mut self, counts: Arc<LimitCounts>) -> Self {
        self.limit_counts = Some(counts);
        self
    }

    /// Counts calls that are cut off in the server's counters, and holds the connection's slot in
    /// its connection count.
    pub(crate) fn belonging(mut self, cut_counts: CutCounts, place: Place) -> Self {
        self.cut_counts = Some(cut_counts);
        self.place = Some(place);
        self
    }

    /// Attaches the channelz counters of this connection.
    pub(crate) fn counted(mut self, tally: Counted) -> Self {
        self.tally = Some(tally);
        self
    }

    /// Updates the channelz counters, if the server offers channelz.
    fn count(&self, note: impl FnOnce(&Tally)) {
        if let Some(tally) = &self.tally {
            note(tally);
        }
    }

    /// Ends a call without a response.
    #[inline(always)]
    fn drop_call(&self, call: Call) {
        self.count(|tally| tally.note_cut(&call));
        call.cancel();
    }

    /// Sets the peer's identity: its TLS certificate or Unix credentials.
    pub fn with_identity(mut self, identity: Rc<PeerIdentity>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Lends HTTP/2 a buffer from the shard's pool, so that an idle connection owns none.
    fn lend_output(&mut self) {
        if self.http2.wants_output() {
            self.http2.lend_output(corespun_runtime::take_buffer());
        }
    }

    #[inline(always)]
    fn on_event(&mut self, now: Duration, event: Event<'_>) {
        match event {
            Event::Headers {
                stream,
                block,
                end_stream,
            } => {
                self.on_head(now, stream, block, end_stream);
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => self.on_body(now, stream, bytes, end_stream),
            Event::Trailers { stream, .. } => self.on_body(now, stream, &[], true),
            Event::Reset { stream, .. } => {
                let call = self.take_call(stream);
                self.drop_call(call);
            }
            Event::PingAck(_) => self.note_last_stream(now),
            Event::SettingsChanged | Event::GoAway { .. } => {}
        }
    }

    #[inline(always)]
    fn on_body(&mut self, now: Duration, stream: StreamKey, bytes: &[u8], end_stream: bool) {
        if self.text_bodies.is_empty() {
            self.on_data(now, stream, bytes, end_stream);
        } else {
            self.on_web_data(now, stream, bytes, end_stream);
        }
    }

    /// Takes the call of a stream out of its slot; returns `Vacant` if there is none.
    fn take_call(&mut self, stream: StreamKey) -> Call {
        match self.calls.get_mut(stream.slot as usize) {
            Some(call) if call.id() == Some(stream.id) => std::mem::take(call),
            _ => Call::Vacant,
        }
    }

    /// Puts a call into its stream's slot. A previous entry belongs to a stream that has ended.
    fn put_call(&mut self, stream: StreamKey, call: Call) {
        let slot = stream.slot as usize;
        if slot >= self.calls.len() {
            self.calls.resize_with(slot + 1, Call::default);
        }
        let gone = std::mem::replace(&mut self.calls[slot], call);
        self.drop_call(gone);
    }

    /// Ends all calls at once, because the peer has closed or broken the connection.
    fn abandon(&mut self) {
        self.closing = true;
        self.backlog.clear();
        for call in std::mem::take(&mut self.calls) {
            self.drop_call(call);
        }
    }

    fn reply(&mut self, stream: StreamKey, form: ReplyForm) -> Reply<'_> {
        Reply {
            http2: &mut self.http2,
            blocks: &mut self.blocks,
            bell: &self.bell,
            stream,
            form,
            web: self.web.as_ref(),
            watch: None,
            tally: self.tally.as_deref(),
        }
    }

    /// Parses the head of a new header block and finds its target.
    fn read_head(&self) -> Known {
        let mut head = RequestHead {
            peer: self.peer.clone(),
            identity: self.identity.clone(),
            drain: Some(Rc::clone(&self.drain)),
            ..RequestHead::default()
        };
        let list = self.http2.headers();
        let (web, content_type) = match self.web.as_ref().and_then(|web| web.read(list)) {
            Some(Asked::Leave(answer)) => {
                return self.know(head, Target::Ready(Box::new(answer)), None);
            }
            Some(Asked::Call(form, content_type)) => (Some(form), Some(content_type)),
            None => (None, None),
        };
        if web.is_none()
            && self.routes.plain_handler().is_some()
            && let Some(plain) = PlainHead::read(list, self.peer.as_ref())
        {
            return self.know(head, Target::Plain(Box::new(plain)), None);
        }
        if let Some(overflow) = list.overflow() {
            let text = format!("the request's metadata is too large: {overflow}");
            let status = Status::resource_exhausted(text);
            let error = HeadError {
                http_status: 200,
                status,
            };
            return self.know(head, Target::Refused(error), web);
        }
        let fields = list
            .iter()
            .map(|header| match (header.token, &content_type) {
                (Token::ContentType, Some(native)) => (header.name, &native[..]),
                _ => (header.name, header.value),
            });
        let found = head::parse_request_in(self.accept_encodings, fields, &mut head);
        let found = found.and_then(|path| {
            self.routes.find(path).map_err(|status| HeadError {
                http_status: 200,
                status,
            })
        });
        match found {
            Ok(route) => self.know(head, Target::Method(route), web),
            Err(error) => self.know(head, Target::Refused(error), web),
        }
    }

    /// Builds the reusable form of a request head, with the properties of its reply.
    fn know(&self, head: RequestHead, target: Target, web: Option<WebForm>) -> Known {
        let own = match &target {
            Target::Method(route) => route.scope.encoding,
            Target::Refused(_) | Target::Plain(_) | Target::Ready(_) => None,
        };
        let form = ReplyForm {
            content_type: head.content_type,
            web,
            sending: Sending {
                framing: Framing {
                    encoding: own.unwrap_or(self.sending.encoding),
                    ..self.sending
                },
                accepted: head.accept_encodings,
            },
        };
        Known {
            head: Rc::new(head),
            target,
            form,
        }
    }

    fn keep_known(&mut self, memo: u8, known: &Rc<Known>) {
        if self.known.is_empty() {
            self.known.resize_with(MEMO_SLOTS, || None);
        }
        self.known[usize::from(memo)] = Some(Rc::clone(known));
    }
}

impl Protocol for Connection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        self.count(|tally| tally.begin_turn(now));
        match input {
            Input::Bytes(_) if self.closing => {}
            Input::Bytes(bytes) => {
                self.heed_pressure();
                self.receive_bytes(now, bytes);
                self.count_limit_hits();
                self.settle();
            }
            Input::End if self.backlog.is_empty() => self.abandon(),
            Input::End => self.backlog.end(),
        }
    }

    fn advance(&mut self, now: Duration) {
        if self.closing {
            return;
        }
        self.count(|tally| tally.begin_turn(now));
        self.lend_output();
        if !self.advance_http2(now) {
            return self.count_limit_hits();
        }
        if self.drain_due.is_some_and(|due| due <= now) {
            self.drain_due = None;
            self.http2.go_away(corespun_http2::ErrorCode::NO_ERROR);
            self.note_last_stream(now);
        }
        if self.life_due().is_some_and(|due| due <= now) {
            self.mind_life(now);
        }
        if self.request_due.is_some_and(|due| due <= now) {
            self.expire_requests(now);
        }
        for completion in self.bell.take_completions() {
            self.on_completion(completion);
        }
        let mut rung = std::mem::take(&mut self.rung);
        self.bell.swap_rung(&mut rung);
        for token in rung.drain(..) {
            self.service(StreamKey::from_token(token));
        }
        self.rung = rung;
        if !self.backlog.is_empty() {
            self.resume(now);
        }
        if !self.parking.is_empty() {
            self.start_parked(now);
        }
        self.count_limit_hits();
        self.settle();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        while let Some(stream) = self.http2.next_drained() {
            self.service(stream);
        }
        if self.http2.has_output() {
            self.bell.touch();
        }
        if let Some(spare) = self.http2.take_spare_output() {
            corespun_runtime::give_buffer(spare);
        }
        self.settle();
        self.count(|tally| tally.set_windows(self.http2.windows()));
        // A peer that has closed its side still gets its replies, as far as its windows permit.
        let finished = self.closing || self.http2.is_finished();
        if finished && !self.http2.has_output() {
            Flow::Close
        } else {
            Flow::Open
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let http2 = self.http2.deadline();
        let own = [self.drain_due, self.request_due, self.life_due()];
        let dues = [http2, self.backlog.due(), self.parking_due()];
        let dues = dues.into_iter().chain(own);
        dues.flatten().min()
    }

    fn wants_input(&self) -> bool {
        self.http2.wants_input()
    }

    fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    fn drain(&mut self, now: Duration) {
        self.leave(now, b"");
    }

    fn cut(&mut self, _now: Duration) {
        self.note_cut();
        if !self.closing {
            self.cut_calls("the server shut down, and the grace period is over");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.note_cut();
        self.abandon();
    }
}
