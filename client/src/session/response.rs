//! Incoming responses: heads, message bytes, trailers, and early ends.

use std::time::Duration;

use corespun_codec::Status;
use corespun_http2::{Block, ErrorCode, StreamKey};

use super::Session;
use super::known::{Opening, no_status};
use crate::call::{Call, Failure};
use crate::deadline::expired;

impl Session {
    pub(super) fn on_head(&mut self, stream: StreamKey, block: Block, end_stream: bool) {
        let list = self.http2.headers();
        if end_stream {
            let status = self.known.ended(block, list);
            return self.end_call(stream, status);
        }
        let opening = self.known.opening(block, list);
        let Some(call) = at(&mut self.calls, stream) else {
            return;
        };
        match opening {
            Ok(Opening::Messages(_, encoding)) if !self.accept_encodings.contains(encoding) => {
                let accepted = self.accept_encodings.text();
                let text =
                    format!("the response is in {encoding}, and only {accepted} was offered");
                self.give_up(stream, Status::internal(text));
            }
            Ok(Opening::Messages(metadata, encoding)) => call.head(metadata, encoding),
            Ok(Opening::Foreign(foreign)) => call.foreign = Some(foreign),
            Err(status) => self.give_up(stream, status),
        }
    }

    pub(super) fn on_data(&mut self, stream: StreamKey, bytes: &[u8], end_stream: bool) {
        let Some(call) = at(&mut self.calls, stream) else {
            return self.http2.release(stream, bytes.len());
        };
        match call.receive(bytes, self.message_bytes_max) {
            Ok(credit) => {
                self.http2.release(stream, credit);
                self.http2.expect(stream, call.missing());
            }
            Err(status) => return self.give_up(stream, status),
        }
        if end_stream {
            let foreign = call.foreign.take();
            let status = foreign.map_or_else(no_status, |foreign| foreign.into_status(None));
            self.end_call(stream, status);
        }
    }

    pub(super) fn on_trailers(&mut self, stream: StreamKey, block: Block) {
        let verdict = self.known.verdict(block, self.http2.headers());
        let foreign = at(&mut self.calls, stream).and_then(|call| call.foreign.take());
        let status = match foreign {
            Some(foreign) => foreign.into_status(verdict.is_given.then(|| verdict.status.clone())),
            None => verdict.status.clone(),
        };
        self.end_call(stream, status);
    }

    /// Ends a call whose stream the server has ended; resets the stream if there was more to send.
    fn end_call(&mut self, stream: StreamKey, status: Status) {
        if let Some(call) = self.take_call(stream) {
            self.http2.reset(stream, ErrorCode::NO_ERROR);
            call.end(status);
            self.wake_next();
        }
    }

    pub(super) fn on_reset(
        &mut self,
        now: Duration,
        stream: StreamKey,
        code: ErrorCode,
        local: bool,
    ) {
        let Some(mut call) = self.take_call(stream) else {
            return self.wake_next();
        };
        let foreign = call.foreign.take();
        let is_late = call.deadline.is_some_and(|deadline| deadline <= now);
        let status = if local {
            Status::internal(format!("the response breaks the rules of HTTP/2: {code}"))
        } else if code == ErrorCode::CANCEL && is_late {
            // The server's clock was ahead of ours.
            expired()
        } else if let Some(foreign) = foreign {
            // A truncated error page is more informative than the reset that truncated it.
            foreign.into_status(None)
        } else {
            Status::from_reset(code.0)
        };
        call.fail(Failure {
            status,
            unprocessed: !local && code == ErrorCode::REFUSED_STREAM,
        });
        self.wake_next();
    }
}

/// Returns the call of a stream.
pub(super) fn at(calls: &mut [Option<Call>], stream: StreamKey) -> Option<&mut Call> {
    let call = calls.get_mut(stream.slot as usize)?.as_mut()?;
    (call.id == stream.id).then_some(call)
}
