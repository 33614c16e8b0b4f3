//! What tasks have left: output, credit and ends of their calls.

use corespun_codec::{ContentType, MetadataMap, Status};
use corespun_http2::StreamKey;

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
        if matches!(self.take_call(stream), Call::Vacant) {
            return;
        }
        let mut reply = self.stream_reply(stream);
        match outcome {
            Ok(framed) => reply.framed(&framed),
            Err(status) => reply.status(&status),
        }
    }

    fn stream_reply(&mut self, stream: StreamKey) -> Reply<'_> {
        Reply {
            http2: &mut self.http2,
            blocks: &mut self.blocks,
            bell: &self.bell,
            stream,
            content_type: ContentType::Grpc,
        }
    }

    /// Does what a streaming call asks for: gives credit back, moves output on, ends it.
    pub(super) fn service(&mut self, stream: StreamKey) {
        let Call::Streaming { id, pipe, task } = self.take_call(stream) else {
            return;
        };
        let credit = pipe.answer();
        self.http2.release(stream, credit);
        if pipe.has_output() && self.http2.queued(stream) < QUEUED_BYTES_HIGH {
            if let Some(metadata) = pipe.take_initial() {
                self.stream_reply(stream).head(Some(&metadata));
            }
            pipe.take_output(|bytes| self.http2.send_data(stream, bytes, false));
        }
        if let Some((outcome, metadata)) = pipe.take_finish() {
            return self.finish(stream, pipe.take_initial(), &outcome, &metadata);
        }
        self.put_call(stream, Call::Streaming { id, pipe, task });
    }

    /// The handler's end: trailers, or trailers alone when nothing was sent before an error.
    fn finish(
        &mut self,
        stream: StreamKey,
        initial: Option<MetadataMap>,
        outcome: &Result<(), Status>,
        metadata: &MetadataMap,
    ) {
        let mut reply = self.stream_reply(stream);
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
}
