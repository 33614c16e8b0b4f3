//! Requests coming in: heads, the bytes of messages, and the call they become.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::{Pipe, Side};
use corespun_codec::{Kind, MetadataMap, Status, message};
use corespun_http2::{Block, StreamKey};

use super::Connection;
use crate::call::{Arrival, Call, Collecting, Known, Target};
use crate::handler::expired;

impl Connection {
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
        let handler = match &known.target {
            Target::Method(handler) => handler,
            Target::Refused(error) => {
                return self.reply(stream, known.head.content_type).refuse(error);
            }
            Target::Plain(_) => return self.on_plain_head(now, stream, known, end_stream),
        };
        let deadline = known.head.timeout.map(|timeout| now + timeout);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return self
                .reply(stream, known.head.content_type)
                .status(&expired());
        }
        if handler.kind().client_streams() {
            return self.start_stream(stream, &known, None, deadline, end_stream);
        }
        if end_stream {
            return self
                .reply(stream, known.head.content_type)
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
                if end_stream
                    && let Some(message) = message::whole(bytes)
                    && message.len() <= self.message_bytes_max
                {
                    self.dispatch(now, stream, &known, message, deadline);
                    // For a call that goes on: its request must not pin the connection's window.
                    return self.http2.release(stream, bytes.len());
                }
                // Not a pooled buffer: what a peer leaves unfinished must cost what it sent.
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
                let mut fits = true;
                if let Call::Streaming { pipe, .. } = &call {
                    self.http2.release(stream, pipe.receive(bytes));
                    fits = self.http2.hold(stream, pipe.held_bytes());
                    if end_stream {
                        pipe.end(Ok(MetadataMap::new()));
                    }
                }
                self.put_call(stream, call);
                if !fits {
                    self.shed();
                }
            }
            Call::Plain(call) => self.on_plain_data(now, stream, call, bytes, end_stream),
            call @ Call::Waiting { .. } => self.put_call(stream, call),
            Call::Vacant => self.http2.release(stream, bytes.len()),
        }
    }

    /// Adds to a request message that comes in pieces. Its credit goes back at once: the limit on
    /// messages bounds what is held.
    fn collect(
        &mut self,
        now: Duration,
        stream: StreamKey,
        mut collecting: Box<Collecting>,
        bytes: &[u8],
        end_stream: bool,
    ) {
        collecting.body.extend_from_slice(bytes);
        collecting.heard = now;
        message::reserve_rest(&mut collecting.body, self.message_bytes_max);
        self.http2.release(stream, bytes.len());
        let known = Rc::clone(&collecting.known);
        let refusal = match message::split(&collecting.body, self.message_bytes_max) {
            Err(status) => Some(status),
            Ok(Some((_, rest))) if !rest.is_empty() => Some(cardinality("more than one message")),
            Ok(None) if end_stream && collecting.body.is_empty() => Some(cardinality("no message")),
            Ok(None) if end_stream => {
                Some(Status::internal("the request ended inside its message"))
            }
            Ok(Some((message, _))) if end_stream => {
                self.http2.hold(stream, 0);
                self.dispatch(now, stream, &known, message, collecting.deadline);
                corespun_runtime::give_buffer(collecting.body);
                return;
            }
            Ok(_) => None,
        };
        match refusal {
            Some(status) => {
                corespun_runtime::give_buffer(collecting.body);
                self.reply(stream, known.head.content_type).status(&status);
            }
            None => {
                let fits = self.http2.hold(stream, collecting.body.capacity());
                self.put_call(stream, Call::Collecting(collecting));
                if !fits {
                    self.shed();
                }
            }
        }
    }

    /// Hands a whole request message to its handler.
    fn dispatch(
        &mut self,
        now: Duration,
        stream: StreamKey,
        known: &Rc<Known>,
        message: &[u8],
        deadline: Option<Duration>,
    ) {
        if deadline.is_some_and(|deadline| deadline <= now) {
            return self
                .reply(stream, known.head.content_type)
                .status(&expired());
        }
        if self.refuse_congested(stream) {
            return;
        }
        let Target::Method(handler) = &known.target else {
            return;
        };
        if handler.kind() == Kind::ServerStreaming {
            return self.start_stream(stream, known, Some(message), deadline, true);
        }
        let arrival = Arrival {
            head: Rc::clone(&known.head),
            deadline,
        };
        let reply = self.reply(stream, known.head.content_type);
        if let Some(task) = handler.call(message, arrival, reply) {
            self.put_call(
                stream,
                Call::Waiting {
                    id: stream.id,
                    content_type: known.head.content_type,
                    task,
                },
            );
        }
    }

    fn start_stream(
        &mut self,
        stream: StreamKey,
        known: &Rc<Known>,
        message: Option<&[u8]>,
        deadline: Option<Duration>,
        end_stream: bool,
    ) {
        let Target::Method(handler) = &known.target else {
            return;
        };
        let bell = Rc::clone(&self.bell);
        let pipe = Pipe::new(
            Side::Server,
            self.message_bytes_max,
            bell,
            stream.to_token(),
        );
        if end_stream {
            pipe.end(Ok(MetadataMap::new()));
        }
        let arrival = Arrival {
            head: Rc::clone(&known.head),
            deadline,
        };
        match handler.start(message, arrival, &pipe) {
            Ok(task) => {
                self.put_call(
                    stream,
                    Call::Streaming {
                        id: stream.id,
                        content_type: known.head.content_type,
                        pipe,
                        task,
                    },
                );
            }
            Err(status) => self.reply(stream, known.head.content_type).status(&status),
        }
    }
}

/// A call with another number of messages than its kind has (gRPC status codes: UNIMPLEMENTED).
fn cardinality(what: &str) -> Status {
    Status::unimplemented(format!("the request has {what}, but its method takes one"))
}
