//! Work that calls leave for the connection: output, flow-control credit and ends of pipes.

use std::cell::Cell;
use std::rc::Rc;

use corespun_codec::message::{Framing, Sending};
use corespun_codec::pipe::{Pipe, Side};
use corespun_codec::{Encoding, Encodings, Status};
use corespun_http2::StreamKey;

use super::Session;
use super::response::at;
use crate::call::{Call, Shape, Streamed};

impl Session {
    /// Creates a pipe for the messages of a stream.
    pub(crate) fn pipe(&self, stream: StreamKey, framing: Framing) -> Pipe {
        let bell = Rc::clone(&self.bell);
        let token = stream.to_token();
        let pipe = Pipe::new(Side::Client, self.message_bytes_max, bell, token);
        let accepted = Encodings::only(framing.encoding);
        pipe.set_framing(Encoding::Identity, Sending { framing, accepted });
        pipe.pace(0, self.http2.sendable_share(stream));
        pipe
    }

    /// Stores a streaming call that uses `pipe`. Returns a flag that is set when the call fails and
    /// may be retried.
    pub(crate) fn put_streamed(
        &mut self,
        stream: StreamKey,
        deadline: Option<std::time::Duration>,
        pipe: Pipe,
    ) -> Rc<Cell<bool>> {
        let unprocessed = Rc::new(Cell::new(false));
        let streamed = Streamed {
            pipe,
            unprocessed: Rc::clone(&unprocessed),
        };
        let call = Call {
            id: stream.id,
            deadline,
            foreign: None,
            shape: Shape::Streamed(streamed),
        };
        self.put_call(stream, call);
        unprocessed
    }

    /// Serves a call that has rung; a unary call rings only when its caller has dropped it.
    pub(super) fn on_rung(&mut self, stream: StreamKey) {
        let Some(call) = at(&mut self.calls, stream) else {
            return;
        };
        let credit = match &call.shape {
            Shape::Streamed(streamed) if !streamed.pipe.is_abandoned() => streamed.pipe.answer(),
            _ => return self.give_up(stream, dropped()),
        };
        let missing = call.missing();
        self.http2.release(stream, credit);
        self.http2.expect(stream, missing);
        self.move_output(stream);
    }

    /// Passes written requests to HTTP/2, and ends them when they are complete.
    pub(super) fn move_output(&mut self, stream: StreamKey) {
        let Self { http2, calls, .. } = self;
        let Some(Shape::Streamed(streamed)) = at(calls, stream).map(|call| &call.shape) else {
            return;
        };
        let pipe = &streamed.pipe;
        if pipe.has_output() {
            let ends = pipe.is_finishing();
            pipe.take_output(|bytes| http2.send_buffer(stream, bytes, ends));
            if ends {
                pipe.take_finish();
            }
        } else if pipe.take_finish().is_some() {
            http2.send_data(stream, &[], true);
        }
        pipe.pace(http2.queued(stream), http2.sendable_share(stream));
    }
}

fn dropped() -> Status {
    Status::cancelled("the call was dropped before its end")
}
