//! Plain requests on an HTTP/2 connection: collects their bodies and sends their responses.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Status, message};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{ErrorCode, StreamKey};

use super::Connection;
use crate::call::{Call, Known, PlainCall, Target};
use crate::plain::{PlainHead, PlainRequest, PlainResponse, ask};

/// Flow-control credit in bytes that is granted ahead for a body, because its length may be
/// unknown.
const PLAIN_CREDIT_BYTES: usize = 64 << 10;

impl Connection {
    /// Handles the head of a plain request.
    pub(super) fn on_plain_head(
        &mut self,
        now: Duration,
        stream: StreamKey,
        known: Rc<Known>,
        end_stream: bool,
    ) {
        let Target::Plain(head) = &known.target else {
            return;
        };
        if head.is_misdirected() || head.has_blank_edge() {
            return self.http2.reset(stream, ErrorCode::PROTOCOL_ERROR);
        }
        if head.is_cut() {
            let response = PlainResponse::new(431, "the request's header list is too large\n");
            return self.send_plain(stream, head.wants_no_body(), &response);
        }
        if head.announces_more_than(self.plain_body_bytes_max) {
            return self.refuse_body(stream, head);
        }
        let call = PlainCall {
            id: stream.id,
            known,
            heard: now,
            // Not a pooled buffer, so that an unfinished body uses only as much memory as was sent.
            body: Vec::new(),
        };
        if end_stream {
            self.answer_plain(stream, call);
        } else {
            self.watch_progress(now);
            self.put_call(stream, Call::Plain(Box::new(call)));
        }
    }

    /// Appends to the body, which is held until it is complete.
    pub(super) fn on_plain_data(
        &mut self,
        now: Duration,
        stream: StreamKey,
        mut call: Box<PlainCall>,
        bytes: &[u8],
        end_stream: bool,
    ) {
        if call.body.len() + bytes.len() > self.plain_body_bytes_max {
            if let Target::Plain(head) = &call.known.target {
                self.refuse_body(stream, head);
            }
            return;
        }
        message::append(&mut call.body, bytes);
        call.heard = now;
        if end_stream {
            return self.answer_plain(stream, *call);
        }
        let left = self.plain_body_bytes_max - call.body.len();
        self.http2.expect(stream, left.min(PLAIN_CREDIT_BYTES));
        self.put_call(stream, Call::Plain(call));
    }

    fn answer_plain(&mut self, stream: StreamKey, call: PlainCall) {
        if let (Target::Plain(head), Some(handler)) =
            (&call.known.target, self.routes.plain_handler())
        {
            let request = PlainRequest {
                head,
                body: &call.body,
            };
            let response = ask(&**handler, &request);
            self.send_plain(stream, head.wants_no_body(), &response);
        }
    }

    /// Responds without the handler: 408 if the body stalled, 503 if it is one too many to hold.
    pub(super) fn end_plain(&mut self, stream: StreamKey, call: &PlainCall, status: &Status) {
        if let Target::Plain(head) = &call.known.target {
            let http_status = match status.code() {
                Code::DeadlineExceeded => 408,
                _ => 503,
            };
            let text = format!("{}\n", status.message());
            let response = PlainResponse::new(http_status, text);
            self.send_plain(stream, head.wants_no_body(), &response);
        }
    }

    fn refuse_body(&mut self, stream: StreamKey, head: &PlainHead) {
        let max = self.plain_body_bytes_max;
        let text = format!("the request's body has more than {max} bytes\n");
        self.send_plain(stream, head.wants_no_body(), &PlainResponse::new(413, text));
    }

    /// Sends a response, without its body if the request excludes one.
    pub(super) fn send_plain(
        &mut self,
        stream: StreamKey,
        wants_no_body: bool,
        response: &PlainResponse,
    ) {
        let body = response.body();
        let ends = wants_no_body || response.is_bodiless() || body.is_empty();
        let status = response.status().to_string();
        let length = body.len().to_string();
        let length = (!response.is_bodiless()).then_some((&b"content-length"[..], &*length));
        let start = std::iter::once((&b":status"[..], &*status)).chain(length);
        let start = start.map(|(name, value)| (name, value.as_bytes()));
        let rest = response.fields().iter().map(|f| (f.name, f.value));
        let fields = start.chain(rest).map(|(name, value)| Field {
            name,
            value,
            indexing: Indexing::Literal,
        });
        self.http2.send_headers(stream, fields, None, ends);
        if !ends {
            self.http2.send_data(stream, body, true);
        }
    }
}
