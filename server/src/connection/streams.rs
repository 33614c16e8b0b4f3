//! Results that tasks leave for the connection: output, flow-control credit and ends of calls.

use corespun_codec::pipe::Finish;
use corespun_codec::{Encoding, MetadataMap};
use corespun_http2::{ErrorCode, StreamKey};

use super::Connection;
use crate::bell::Completion;
use crate::call::Call;
use crate::reply::Reply;
use crate::tally::Tally;

impl Connection {
    /// Handles the end of a unary call that ran as a task.
    pub(super) fn on_completion(&mut self, completion: Completion) {
        let Completion { stream, outcome } = completion;
        let Call::Waiting { known, watch, .. } = self.take_call(stream) else {
            return;
        };
        let mut reply = self.reply(stream, known.form);
        reply.watch = watch.map(|watch| *watch);
        match outcome {
            Ok(framed) => reply.framed(framed),
            Err(status) => reply.status(&status),
        }
    }

    /// Performs the requests of a streaming call: returns credit, sends output, ends the call.
    pub(super) fn service(&mut self, stream: StreamKey) {
        let mut call = self.take_call(stream);
        let Call::Streaming {
            pipe, known, watch, ..
        } = &mut call
        else {
            return self.on_message_gone(stream, call);
        };
        let form = known.form;
        self.count(|tally| tally.note_messages(pipe.take_passed()));
        let credit = pipe.answer();
        self.http2.release(stream, credit);
        self.http2.expect(stream, pipe.missing());
        if pipe.wants_head()
            && let Some((metadata, encoding)) = pipe.take_initial()
        {
            let mut reply = self.reply(stream, form);
            if let Err(status) = reply.check_head(&metadata) {
                reply.watch = watch.take().map(|watch| *watch);
                reply.status(&status);
                return call.cancel();
            }
            reply.head(Some(&metadata), encoding);
        }
        if pipe.has_output() {
            pipe.take_output(|bytes| self.reply(stream, form).body(bytes));
        }
        pipe.pace(self.http2.queued(stream), self.http2.sendable_share(stream));
        if let Some(finish) = pipe.take_finish() {
            let watch = watch.take().map(|watch| *watch);
            if finish.overdue && self.http2.queued(stream) > 0 {
                if let (Some(watch), Err(status)) = (watch, &finish.outcome) {
                    watch.end(Err(status));
                }
                self.count(Tally::note_cut_early);
                // Trailers would wait behind bytes for which the client may never open its window.
                return self.http2.reset(stream, ErrorCode::CANCEL);
            }
            let initial = pipe.take_initial();
            let mut reply = self.reply(stream, form);
            reply.watch = watch;
            return end(reply, initial, &finish);
        }
        self.put_call(stream, call);
    }

    /// Handles the release of a message that waited for interceptors: it went to its handler, or
    /// its call is over.
    fn on_message_gone(&mut self, stream: StreamKey, call: Call) {
        if let Call::Waiting { .. } = call {
            self.put_call(stream, call);
        }
    }
}

/// Ends a call: sends trailers, or Trailers-Only if nothing was sent before an error.
pub(super) fn end(mut reply: Reply<'_>, initial: Option<(MetadataMap, Encoding)>, finish: &Finish) {
    let Finish {
        outcome, trailers, ..
    } = finish;
    match (initial, outcome) {
        (Some((initial, _)), Err(status)) if initial.is_empty() => {
            reply.status_with(status, trailers);
        }
        (Some((mut initial, encoding)), _) => match (reply.check_head(&initial), outcome) {
            (Ok(()), _) => {
                reply.head(Some(&initial), encoding);
                reply.trailers(outcome, trailers);
            }
            (Err(too_large), Ok(())) => reply.status(&too_large),
            (Err(_), Err(status)) => {
                // If the metadata does not fit next to this status either, the status says that it
                // is left out.
                initial.append_all(trailers);
                reply.status_with(status, &initial);
            }
        },
        (None, _) => reply.trailers(outcome, trailers),
    }
}
