//! Decoding of base64 request bodies of gRPC-Web's text form.

use std::time::Duration;

use corespun_codec::{Status, message};
use corespun_http2::StreamKey;

use super::Connection;
use crate::call::Call;
use crate::web::{TextDecoder, WebForm};

/// Decoders of the streams whose bodies are base64.
#[derive(Debug, Default)]
pub(super) struct TextBodies {
    /// Decoders by stream slot, each with the id of its stream.
    decoders: Vec<(u32, TextDecoder)>,
}

impl TextBodies {
    /// Returns true if no stream of this connection ever had a base64 body.
    pub(super) fn is_empty(&self) -> bool {
        self.decoders.is_empty()
    }

    fn begin(&mut self, stream: StreamKey) {
        let slot = stream.slot as usize;
        if slot >= self.decoders.len() {
            self.decoders.resize_with(slot + 1, Default::default);
        }
        self.decoders[slot] = (stream.id, TextDecoder::default());
    }

    fn of(&mut self, stream: StreamKey) -> Option<&mut TextDecoder> {
        let (id, decoder) = self.decoders.get_mut(stream.slot as usize)?;
        (*id == stream.id).then_some(decoder)
    }
}

impl Connection {
    /// Prepares for the request body of a gRPC-Web call.
    pub(super) fn expect_web_body(&mut self, stream: StreamKey, form: WebForm) {
        if form.reads_text {
            self.text_bodies.begin(stream);
        }
    }

    /// Grants credit for the rest of a message in base64: four bytes on the wire for three decoded.
    fn expect_text(&mut self, stream: StreamKey) {
        let missing = match self.calls.get(stream.slot as usize) {
            Some(Call::Collecting(call)) if call.id == stream.id => message::missing(&call.body),
            Some(Call::Streaming { id, pipe, .. }) if *id == stream.id => pipe.missing(),
            _ => return,
        };
        self.http2.expect(stream, missing.div_ceil(3) * 4);
    }

    /// Handles body bytes on a connection that has base64 bodies.
    pub(super) fn on_web_data(
        &mut self,
        now: Duration,
        stream: StreamKey,
        bytes: &[u8],
        end_stream: bool,
    ) {
        let Some(decoder) = self.text_bodies.of(stream) else {
            return self.on_data(now, stream, bytes, end_stream);
        };
        let mut plain = corespun_runtime::take_buffer();
        let had = decoder.pending() + bytes.len();
        let pushed = decoder.push(bytes, &mut plain);
        let pending = decoder.pending();
        if pushed.is_err() || end_stream && pending > 0 {
            self.http2.release(stream, had);
            let text = match pushed {
                Err(_) => "the request's body is not base64",
                Ok(()) => "the request's body ends inside a group of base64",
            };
            self.end_call(stream, &Status::internal(text));
        } else {
            // The code that takes the bytes returns their credit; the credit for the rest is
            // returned here.
            self.http2.release(stream, had - pending - plain.len());
            if end_stream || !plain.is_empty() {
                self.on_data(now, stream, &plain, end_stream);
            }
            self.expect_text(stream);
        }
        corespun_runtime::give_buffer(plain);
    }
}
