//! What tasks have left: output, credit and ends of their calls.

use corespun_codec::{MetadataMap, Status};
use corespun_http2::StreamKey;
use corespun_runtime::give_buffer;

use super::Connection;
use crate::bell::Completion;
use crate::call::Call;
use crate::reply::Reply;

/// Bytes that HTTP/2 may hold back for one stream before its pipe keeps the rest.
const QUEUED_BYTES_HIGH: usize = 64 << 10;

impl Connection {
    /// A unary call that had waited is done.
    pub(super) fn on_completion(&mut self, completion: Completion) {
        let Completion { stream, outcome } = completion;
        let Call::Waiting { content_type, .. } = self.take_call(stream) else {
            return;
        };
        // The call was processed, so it cannot be refused; but its reply may not be kept.
        let is_congested = self.http2.is_congested();
        let mut reply = self.reply(stream, content_type);
        match outcome {
            Ok(_) if is_congested => reply.status(&Status::resource_exhausted(
                "the caller's other replies wait unread, and there are too many of them",
            )),
            Ok(framed) => {
                reply.framed(&framed);
                give_buffer(framed.bytes);
            }
            Err(status) => reply.status(&status),
        }
    }

    /// Does what a streaming call asks for: gives credit back, moves output on, ends it.
    pub(super) fn service(&mut self, stream: StreamKey) {
        let call = self.take_call(stream);
        let Call::Streaming {
            pipe, content_type, ..
        } = &call
        else {
            return;
        };
        let content_type = *content_type;
        let credit = pipe.answer();
        self.http2.release(stream, credit);
        self.http2.hold(stream, pipe.held_bytes());
        if pipe.has_output() && self.http2.queued(stream) < QUEUED_BYTES_HIGH {
            if let Some(metadata) = pipe.take_initial() {
                self.reply(stream, content_type).head(Some(&metadata));
            }
            pipe.take_output(|bytes| self.http2.send_data(stream, bytes, false));
        }
        if let Some((outcome, metadata)) = pipe.take_finish() {
            let initial = pipe.take_initial();
            let reply = self.reply(stream, content_type);
            return finish(reply, initial, &outcome, &metadata);
        }
        self.put_call(stream, call);
    }
}

/// The handler's end: trailers, or trailers alone when nothing was sent before an error.
pub(super) fn finish(
    mut reply: Reply<'_>,
    initial: Option<MetadataMap>,
    outcome: &Result<(), Status>,
    metadata: &MetadataMap,
) {
    match (initial, outcome) {
        (Some(initial), Err(status)) if initial.is_empty() => {
            reply.status_with(status, metadata);
        }
        (Some(initial), _) => {
            reply.head(Some(&initial));
            reply.trailers(outcome, metadata);
        }
        (None, _) => reply.trailers(outcome, metadata),
    }
}
