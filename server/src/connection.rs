//! One caller's connection: HTTP/2 events to calls, replies to output.

mod requests;
mod streams;

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{ContentType, HeadError, PeerIdentity, RequestHead, Status, head};
use corespun_http2::{Config as Http2Config, Event, MEMO_SLOTS, Role, StreamKey};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle};

use crate::bell::Bell;
use crate::call::{Call, Known, Target};
use crate::config::Config;
use crate::reply::{Reply, ReplyBlocks};
use crate::routes::Routes;

/// How long a peer may take to show that it speaks HTTP/2.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How long the acknowledgement of the PING between two GOAWAY frames is waited for.
const DRAIN_PING_MAX: Duration = Duration::from_secs(5);

/// A gRPC connection on the server's side; a [`Protocol`] for any pump.
pub struct Connection {
    http2: corespun_http2::Connection,
    routes: Rc<Routes>,
    bell: Rc<Bell>,
    blocks: ReplyBlocks,
    /// Calls by stream slot.
    calls: Vec<Call>,
    /// Request heads by memo slot.
    known: Vec<Option<Rc<Known>>>,
    peer: Option<Rc<str>>,
    identity: Option<Rc<PeerIdentity>>,
    message_bytes_max: usize,
    /// When to act without input: the handshake's or the drain's end.
    timer: Option<Duration>,
    /// The next deadline of a request that has not come whole, or an earlier moment.
    request_due: Option<Duration>,
    /// Where rung tokens are taken to; empty in between.
    rung: Vec<u64>,
    draining: bool,
    closing: bool,
}

impl Connection {
    /// A connection that serves `routes` to `peer`. `socket` is how tasks reach it again.
    pub fn new(
        routes: Rc<Routes>,
        config: &Config,
        peer: Option<Rc<str>>,
        socket: SocketHandle,
        now: Duration,
    ) -> Self {
        let http2 = Http2Config {
            role: Role::Server,
            limits: config.http2.clone(),
        };
        Self {
            http2: corespun_http2::Connection::new(http2),
            routes,
            bell: Rc::new(Bell::new(socket)),
            blocks: ReplyBlocks::default(),
            calls: Vec::new(),
            known: Vec::new(),
            peer,
            identity: None,
            message_bytes_max: config.message_bytes_max,
            timer: Some(now + HANDSHAKE_MAX),
            request_due: None,
            rung: Vec::new(),
            draining: false,
            closing: false,
        }
    }

    /// The same with what is known of the peer beyond its address.
    pub fn with_identity(mut self, identity: Rc<PeerIdentity>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Gives HTTP/2 a buffer from the shard's pool, so that an idle connection owns none.
    fn lend_output(&mut self) {
        if self.http2.wants_output() {
            self.http2.lend_output(corespun_runtime::take_buffer());
        }
    }

    fn receive_bytes(&mut self, now: Duration, mut input: &[u8]) {
        self.lend_output();
        loop {
            match self.http2.receive(now, &mut input) {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(peer = self.peer.as_deref(), %error, "connection ends");
                    self.abandon();
                    return;
                }
            }
        }
    }

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
            } => {
                self.on_data(now, stream, bytes, end_stream);
            }
            Event::Trailers { stream, .. } => self.on_data(now, stream, &[], true),
            Event::Reset { stream, .. } => self.take_call(stream).cancel(),
            Event::SettingsChanged if !self.draining => self.timer = None,
            Event::SettingsChanged | Event::GoAway { .. } | Event::PingAck(_) => {}
        }
    }

    /// Takes the call of a stream out of its slot; vacant when there is none.
    fn take_call(&mut self, stream: StreamKey) -> Call {
        match self.calls.get_mut(stream.slot as usize) {
            Some(call) if call.id() == Some(stream.id) => std::mem::take(call),
            _ => Call::Vacant,
        }
    }

    /// Puts a call into its stream's slot. What is there belongs to a stream that is gone.
    fn put_call(&mut self, stream: StreamKey, call: Call) {
        let slot = stream.slot as usize;
        if slot >= self.calls.len() {
            self.calls.resize_with(slot + 1, Call::default);
        }
        std::mem::replace(&mut self.calls[slot], call).cancel();
    }

    /// Ends everything at once: the peer is gone or has broken the protocol.
    fn abandon(&mut self) {
        self.closing = true;
        self.calls.drain(..).for_each(Call::cancel);
    }

    fn reply(&mut self, stream: StreamKey, content_type: ContentType) -> Reply<'_> {
        Reply {
            http2: &mut self.http2,
            blocks: &mut self.blocks,
            bell: &self.bell,
            stream,
            content_type,
        }
    }

    /// Reads the head of a new header block and finds where it leads.
    fn read_head(&self) -> Known {
        let mut head = RequestHead {
            peer: self.peer.clone(),
            identity: self.identity.clone(),
            ..RequestHead::default()
        };
        let list = self.http2.headers();
        if list.overflowed() {
            let status = Status::resource_exhausted("the request's header list is too large");
            let error = HeadError {
                http_status: 200,
                status,
            };
            return Known {
                head: Rc::new(head),
                target: Target::Refused(error),
            };
        }
        let fields = list.iter().map(|header| (header.name, header.value));
        let found = head::parse_request(fields, &mut head).and_then(|path| {
            self.routes.find(path).map_err(|status| HeadError {
                http_status: 200,
                status,
            })
        });
        let target = match found {
            Ok(handler) => Target::Method(handler),
            Err(error) => Target::Refused(error),
        };
        Known {
            head: Rc::new(head),
            target,
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
        match input {
            Input::Bytes(_) if self.closing => {}
            Input::Bytes(bytes) => self.receive_bytes(now, bytes),
            Input::End => self.abandon(),
        }
    }

    fn advance(&mut self, now: Duration) {
        if self.closing {
            return;
        }
        self.lend_output();
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            if self.draining {
                self.http2.go_away(corespun_http2::ErrorCode::NO_ERROR);
            } else {
                tracing::debug!(
                    peer = self.peer.as_deref(),
                    "no HTTP/2 handshake came in time"
                );
                self.abandon();
                return;
            }
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
        let finished = self.http2.is_finished() && !self.http2.has_output();
        if self.closing || finished {
            Flow::Close
        } else {
            Flow::Open
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match (self.timer, self.request_due) {
            (Some(timer), Some(due)) => Some(timer.min(due)),
            (timer, due) => timer.or(due),
        }
    }

    fn drain(&mut self, now: Duration) {
        self.draining = true;
        self.timer = Some(now + DRAIN_PING_MAX);
        self.lend_output();
        self.http2.drain();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.abandon();
    }
}
