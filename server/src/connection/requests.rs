//! Incoming requests: heads, message bytes, and the calls that they start.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::message::{Frame, Framing};
use corespun_codec::pipe::{Pipe, Side};
use corespun_codec::{Kind, MetadataMap, Status, message};
use corespun_http2::{Block, StreamKey};
use corespun_runtime::JoinHandle;

use super::Connection;
use crate::call::{Call, Collecting, Known, Target, Whole};
use crate::handler::expired;
use crate::tally::Tally;
use crate::watch::Watch;

impl Connection {
    #[inline(always)]
    pub(super) fn on_head(
        &mut self,
        now: Duration,
        stream: StreamKey,
        block: Block,
        end_stream: bool,
    ) {
        let known = match block {
            Block::Seen { memo } => self.known.get(usize::from(memo)).cloned().flatten(),
            Block::New { .. } => None,
        };
        let known = known.unwrap_or_else(|| Rc::new(self.read_head()));
        if let Block::New { memo: Some(memo) } = block {
            self.keep_known(memo, &known);
        }
        if !matches!(known.target, Target::Plain(_)) {
            self.count(Tally::note_start);
        }
        let handler = match &known.target {
            Target::Method(route) => &route.handler,
            Target::Refused(error) => {
                return self.reply(stream, known.form).refuse(error);
            }
            Target::Plain(_) => return self.on_plain_head(now, stream, known, end_stream),
            Target::Ready(response) => return self.send_plain(stream, false, response),
        };
        if let Some(form) = known.form.web {
            self.expect_web_body(stream, form);
        }
        let deadline = known.head.timeout.map(|timeout| now + timeout);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return self.reply(stream, known.form).status(&expired());
        }
        if handler.kind().client_streams() {
            if self.turn_away(now, stream, &known, deadline) {
                return;
            }
            return self.start_stream(stream, &known, None, deadline, end_stream);
        }
        if end_stream {
            return self
                .reply(stream, known.form)
                .status(&cardinality("no message"));
        }
        if let Some(deadline) = deadline {
            self.watch(deadline);
        }
        self.watch_progress(now);
        self.put_call(
            stream,
            Call::Expecting {
                id: stream.id,
                known,
                deadline,
                heard: now,
            },
        );
    }

    pub(super) fn on_data(
        &mut self,
        now: Duration,
        stream: StreamKey,
        bytes: &[u8],
        end_stream: bool,
    ) {
        match self.take_call(stream) {
            Call::Expecting {
                known, deadline, ..
            } => {
                if self.turn_away(now, stream, &known, deadline) {
                    return self.http2.release(stream, bytes.len());
                }
                if end_stream
                    && let Some(message) = message::whole(bytes)
                    && message.len() <= self.message_bytes_max
                    && (!self.must_wait() || known.is_exempt())
                {
                    let message = Whole::uncompressed(message);
                    self.dispatch(now, stream, &known, message, deadline);
                    // Only for a call that continues: processed bytes no longer count as held.
                    return self.http2.release(stream, bytes.len());
                }
                // Not a pooled buffer, so that an unfinished message uses only as much memory as
                // was sent.
                let body = Vec::new();
                let id = stream.id;
                let collecting = Box::new(Collecting {
                    id,
                    known,
                    deadline,
                    heard: now,
                    body,
                });
                self.collect(now, stream, collecting, bytes, end_stream);
            }
            Call::Collecting(collecting) => {
                self.collect(now, stream, collecting, bytes, end_stream);
            }
            call @ Call::Streaming { .. } => {
                if let Call::Streaming { pipe, .. } = &call {
                    self.http2.release(stream, pipe.receive(bytes));
                    self.http2.expect(stream, pipe.missing());
                    if end_stream {
                        pipe.end(Ok(MetadataMap::new()));
                    }
                }
                self.put_call(stream, call);
            }
            Call::Plain(call) => self.on_plain_data(now, stream, call, bytes, end_stream),
            call @ (Call::Waiting { .. } | Call::Parked(_)) => self.put_call(stream, call),
            Call::Vacant => self.http2.release(stream, bytes.len()),
        }
    }

    /// Appends to a request message that arrives in pieces; the pieces are held until it is
    /// complete.
    fn collect(
        &mut self,
        now: Duration,
        stream: StreamKey,
        mut collecting: Box<Collecting>,
        bytes: &[u8],
        end_stream: bool,
    ) {
        message::append(&mut collecting.body, bytes);
        collecting.heard = now;
        message::reserve_rest(&mut collecting.body, self.message_bytes_max);
        let refusal = match self.framing(&collecting.known).split(&collecting.body) {
            Err(status) => Some(status),
            Ok(Some((_, rest))) if !rest.is_empty() => Some(cardinality("more than one message")),
            Ok(None) if end_stream && collecting.body.is_empty() => Some(cardinality("no message")),
            Ok(None) if end_stream => {
                Some(Status::internal("the request ended inside its message"))
            }
            Ok(Some(_)) if end_stream => {
                return match self.must_wait() && !collecting.known.is_exempt() {
                    true => self.park(stream, collecting),
                    false => self.complete(now, stream, collecting),
                };
            }
            Ok(_) => None,
        };
        match refusal {
            Some(status) => {
                let form = collecting.known.form;
                corespun_runtime::give_buffer(collecting.body);
                self.reply(stream, form).status(&status);
            }
            None => {
                self.http2
                    .expect(stream, message::missing(&collecting.body));
                self.put_call(stream, Call::Collecting(collecting));
            }
        }
    }

    /// Returns the framing of the single message of a request.
    fn framing(&self, known: &Known) -> Framing {
        Framing {
            encoding: known.head.encoding,
            bytes_max: self.message_bytes_max,
        }
    }

    /// Passes a complete request to its handler.
    pub(super) fn complete(
        &mut self,
        now: Duration,
        stream: StreamKey,
        collecting: Box<Collecting>,
    ) {
        let framing = self.framing(&collecting.known);
        if let Ok(Some((frame, _))) = framing.split(&collecting.body) {
            self.dispatch_frame(now, stream, &collecting, framing, frame);
        }
        corespun_runtime::give_buffer(collecting.body);
        self.http2.release(stream, usize::MAX);
    }

    /// Passes a request message, which may be compressed, to its handler.
    fn dispatch_frame(
        &mut self,
        now: Duration,
        stream: StreamKey,
        collecting: &Collecting,
        framing: Framing,
        frame: Frame<'_>,
    ) {
        let Collecting {
            known, deadline, ..
        } = collecting;
        if !frame.compressed {
            let message = Whole::uncompressed(frame.bytes);
            return self.dispatch(now, stream, known, message, *deadline);
        }
        let mut plain = corespun_runtime::take_buffer();
        match framing.open(frame, &mut plain) {
            Ok(bytes) => {
                let wire_bytes = frame.bytes.len();
                let message = Whole {
                    bytes,
                    wire_bytes,
                    compressed: true,
                };
                self.dispatch(now, stream, known, message, *deadline);
            }
            Err(status) => self.reply(stream, known.form).status(&status),
        }
        corespun_runtime::give_buffer(plain);
    }

    /// Passes a complete request message to its handler.
    fn dispatch(
        &mut self,
        now: Duration,
        stream: StreamKey,
        known: &Rc<Known>,
        message: Whole<'_>,
        deadline: Option<Duration>,
    ) {
        if deadline.is_some_and(|deadline| deadline <= now) {
            return self.reply(stream, known.form).status(&expired());
        }
        self.count(Tally::note_received);
        let Target::Method(route) = &known.target else {
            return;
        };
        if route.handler.kind() == Kind::ServerStreaming {
            return self.start_stream(stream, known, Some(message), deadline, true);
        }
        if route.scope.is_watched() {
            return self.dispatch_intercepted(stream, known, route, message, deadline);
        }
        let mut reply = self.reply(stream, known.form);
        let parts = known.parts(deadline, message.compressed);
        if let Some(task) = route.handler.call(message.bytes, parts, &mut reply) {
            let waiting = Call::Waiting {
                id: stream.id,
                known: Rc::clone(known),
                task,
                watch: None,
            };
            self.put_call(stream, waiting);
        }
    }

    fn start_stream(
        &mut self,
        stream: StreamKey,
        known: &Rc<Known>,
        message: Option<Whole<'_>>,
        deadline: Option<Duration>,
        end_stream: bool,
    ) {
        let Target::Method(route) = &known.target else {
            return;
        };
        if route.scope.is_watched() {
            return self.start_intercepted(stream, known, route, message, deadline, end_stream);
        }
        let pipe = self.open_pipe(stream, known, end_stream);
        let parts = known.parts(deadline, message.is_some_and(|message| message.compressed));
        let bytes = message.map(|message| message.bytes);
        let started = route.handler.start(bytes, parts, &pipe);
        self.put_streaming(stream, known, pipe, started, None);
    }

    /// Creates a pipe for the messages of a stream.
    pub(super) fn open_pipe(&self, stream: StreamKey, known: &Known, end_stream: bool) -> Pipe {
        let (bell, token) = (Rc::clone(&self.bell), stream.to_token());
        let pipe = Pipe::new(Side::Server, self.message_bytes_max, bell, token);
        pipe.set_framing(known.head.encoding, known.form.sending);
        pipe.pace(0, self.http2.sendable_share(stream));
        if end_stream {
            pipe.end(Ok(MetadataMap::new()));
        }
        pipe
    }

    /// Stores a started streaming handler in its stream's slot.
    pub(super) fn put_streaming(
        &mut self,
        stream: StreamKey,
        known: &Rc<Known>,
        pipe: Pipe,
        started: Result<JoinHandle<()>, Status>,
        watch: Option<Watch>,
    ) {
        match started {
            Ok(task) => {
                let streaming = Call::Streaming {
                    id: stream.id,
                    known: Rc::clone(known),
                    pipe,
                    task,
                    watch: watch.map(Box::new),
                };
                self.put_call(stream, streaming);
            }
            Err(status) => {
                let mut reply = self.reply(stream, known.form);
                reply.watch = watch;
                reply.status(&status);
            }
        }
    }
}

/// Returns the status of a call whose number of messages does not match its method kind (gRPC
/// status codes: UNIMPLEMENTED).
fn cardinality(what: &str) -> Status {
    Status::unimplemented(format!("the request has {what}, but its method takes one"))
}
