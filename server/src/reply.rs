//! Reply to a call: head, message and trailers, written directly into the connection's output.

mod away;
mod size;

use std::rc::Rc;

use corespun_codec::message::{PREFIX_BYTES, write_prefix};
use corespun_codec::{
    ContentType, Encoding, HeadError, ListRoom, MessageBytes, MetadataMap, Response, ResponseParts,
    Status, head, message,
};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Connection, StreamKey};
use prost::Message;

use crate::bell::{Bell, Framed};
use crate::call::ReplyForm;
use crate::tally::Tally;
use crate::watch::Watch;
use crate::web::GrpcWeb;

/// Header blocks that nearly every reply repeats, as this connection's encoder writes them: two
/// bytes for the head and one for the trailers, once the peer's table has them.
#[derive(Default)]
pub(crate) struct ReplyBlocks {
    head: BlockCache,
    trailers: BlockCache,
}

/// Reply to one call.
pub(crate) struct Reply<'a> {
    pub(crate) http2: &'a mut Connection,
    pub(crate) blocks: &'a mut ReplyBlocks,
    pub(crate) bell: &'a Rc<Bell>,
    pub(crate) stream: StreamKey,
    pub(crate) form: ReplyForm,
    pub(crate) web: Option<&'a GrpcWeb>,
    /// Watch that reports the end of the call, if there are interceptors.
    pub(crate) watch: Option<Watch>,
    /// Channelz counters of the connection.
    pub(crate) tally: Option<&'a Tally>,
}

impl Reply<'_> {
    /// Returns the bell and the stream, with which a task can reply later.
    pub(crate) fn claim(&self) -> (Rc<Bell>, StreamKey) {
        (Rc::clone(self.bell), self.stream)
    }

    /// Sends a complete unary response.
    pub(crate) fn response<R: Message>(&mut self, response: Response<R>) {
        let framing = self.form.sending.choose(response.encoding());
        if framing.encoding != Encoding::Identity {
            return self.compressed(response);
        }
        let (message, parts) = response.into_parts();
        let len = match framing.measure(&message) {
            Ok(len) => len,
            Err(status) => return self.status(&status),
        };
        if let Some(parts) = &parts
            && let Err(status) = self.check_parts(parts)
        {
            return self.status(&status);
        }
        self.count_message();
        self.head(
            parts.as_deref().map(|parts| &parts.metadata),
            Encoding::Identity,
        );
        let in_place = match self.form.web {
            Some(form) if form.writes_text => None,
            _ => self
                .http2
                .data_in_place(self.stream, PREFIX_BYTES + len, false),
        };
        match in_place {
            Some(out) => {
                write_prefix(out, false, len);
                message.encode_raw(out);
            }
            None => {
                let mut framed = corespun_runtime::take_buffer();
                match message::encode(&message, &mut framed) {
                    Ok(_) => self.bytes(framed),
                    Err(_) => corespun_runtime::give_buffer(framed),
                }
            }
        }
        self.count(MessageBytes::uncompressed(len));
        self.ok(parts.as_deref().map(|parts| &parts.trailers));
    }

    fn count_message(&self) {
        if let Some(tally) = self.tally {
            tally.note_sent();
        }
    }

    /// Sends a complete unary response with a compressed message, whose length is known only after
    /// compression.
    fn compressed<R: Message>(&mut self, response: Response<R>) {
        match Framed::new(response, self.form.sending) {
            Ok(framed) => self.framed(framed),
            Err(status) => self.status(&status),
        }
    }

    /// Sends a complete unary response that a task has encoded.
    pub(crate) fn framed(&mut self, framed: Framed) {
        let parts: Option<&ResponseParts> = framed.parts.as_deref();
        if let Some(parts) = parts
            && let Err(status) = self.check_parts(parts)
        {
            corespun_runtime::give_buffer(framed.bytes);
            return self.status(&status);
        }
        self.count_message();
        self.head(parts.map(|parts| &parts.metadata), framed.encoding);
        self.bytes(framed.bytes);
        self.count(framed.size);
        self.ok(parts.map(|parts| &parts.trailers));
    }

    /// Sends a framed message that is in a buffer of the pool.
    fn bytes(&mut self, framed: Vec<u8>) {
        if let Some(form) = self.form.web {
            self.web_body(form, &framed, false);
            return corespun_runtime::give_buffer(framed);
        }
        if let Some(spare) = self.http2.send_buffer(self.stream, framed, false) {
            corespun_runtime::give_buffer(spare);
        }
    }

    /// Sends framed messages. Returns their buffer, unless it waits for flow-control windows as it
    /// is.
    pub(crate) fn body(&mut self, framed: Vec<u8>) -> Option<Vec<u8>> {
        match self.form.web {
            Some(form) => {
                self.web_body(form, &framed, false);
                Some(framed)
            }
            None => self.http2.send_buffer(self.stream, framed, false),
        }
    }

    /// Sets the response head. It is sent with the first message at the earliest, so that an error
    /// before that needs no head (gRFC A6).
    pub(crate) fn head(&mut self, metadata: Option<&MetadataMap>, encoding: Encoding) {
        let metadata = metadata.filter(|metadata| !metadata.is_empty());
        let content_type = self.form.content_type;
        let compressed = (encoding != Encoding::Identity)
            .then(|| constant(b"grpc-encoding", encoding.name().as_bytes()));
        if let Some(form) = self.form.web {
            return self.web_head(form, metadata, compressed);
        }
        match metadata {
            None if content_type == ContentType::Grpc && compressed.is_none() => {
                let fields = [
                    constant(b":status", b"200"),
                    constant(b"content-type", ContentType::Grpc.as_bytes()),
                ];
                let cache = Some(&mut self.blocks.head);
                self.http2
                    .send_headers(self.stream, fields.into_iter(), cache, false);
            }
            metadata => {
                let none = MetadataMap::new();
                let metadata = metadata.unwrap_or(&none);
                let fields = head::response_fields(content_type, metadata)
                    .map(literal)
                    .chain(compressed);
                self.http2.send_headers(self.stream, fields, None, false);
            }
        }
    }

    /// Sends the trailers of a successful call, or of one that fails now because its client does
    /// not accept them.
    pub(crate) fn ok(&mut self, trailers: Option<&MetadataMap>) {
        if let Some(trailers) = trailers
            && let Err(status) = self.check_trailers(trailers)
        {
            return self.trailers(&Err(status), MetadataMap::EMPTY);
        }
        self.tell(Ok(()));
        if let Some(form) = self.form.web {
            let none = MetadataMap::new();
            let trailers = trailers.unwrap_or(&none).fields();
            let status: (&[u8], &[u8]) = (b"grpc-status", b"0");
            return self.web_trailers(form, std::iter::once(status).chain(trailers));
        }
        let status = constant(b"grpc-status", b"0");
        match trailers.filter(|trailers| !trailers.is_empty()) {
            None => {
                let cache = Some(&mut self.blocks.trailers);
                self.http2
                    .send_headers(self.stream, [status].into_iter(), cache, true);
            }
            Some(trailers) => {
                let fields = std::iter::once(status).chain(trailers.fields().map(literal));
                self.http2.send_headers(self.stream, fields, None, true);
            }
        }
    }

    /// Sends trailers after a head that has been sent.
    pub(crate) fn trailers(&mut self, outcome: &Result<(), Status>, metadata: &MetadataMap) {
        match outcome {
            Ok(()) => self.ok(Some(metadata)),
            Err(status) => {
                self.tell(Err(status));
                let mut scratch = Vec::new();
                if let Some(form) = self.form.web {
                    let fields = status.fields_within(metadata, ListRoom::ANY, &mut scratch);
                    return self.web_trailers(form, fields);
                }
                let room = self.room(0);
                let fields = status.fields_within(metadata, room, &mut scratch);
                let fields = fields.map(literal);
                self.http2.send_headers(self.stream, fields, None, true);
            }
        }
    }

    /// Sends an error in place of a response: head and trailers in one block ("Trailers-Only").
    pub(crate) fn status(&mut self, status: &Status) {
        self.trailers_only(b"200", status, &MetadataMap::new());
    }

    /// Sends an error in place of a response, with trailing metadata that the handler has set.
    pub(crate) fn status_with(&mut self, status: &Status, metadata: &MetadataMap) {
        self.trailers_only(b"200", status, metadata);
    }

    /// Sends the response to a request that is not a gRPC call.
    pub(crate) fn refuse(&mut self, error: &HeadError) {
        self.trailers_only(error.http_status_text(), &error.status, &MetadataMap::new());
    }

    /// Reports the single message of the call to its observers.
    fn count(&self, message: MessageBytes) {
        if let Some(watch) = &self.watch {
            watch.sent(message);
        }
    }

    fn tell(&mut self, outcome: Result<(), &Status>) {
        if let Some(tally) = self.tally {
            tally.note_end(outcome.is_ok());
        }
        if let Some(watch) = self.watch.take() {
            watch.end(outcome);
        }
    }

    fn trailers_only(&mut self, http_status: &[u8], status: &Status, metadata: &MetadataMap) {
        self.tell(Err(status));
        if let Some(form) = self.form.web {
            return self.web_trailers_only(form, http_status, status, metadata);
        }
        let start = [
            literal((&b":status"[..], http_status)),
            constant(b"content-type", self.form.content_type.as_bytes()),
        ];
        let mut scratch = Vec::new();
        let room = self.room(self.start_bytes());
        let rest = status
            .fields_within(metadata, room, &mut scratch)
            .map(literal);
        self.http2
            .send_headers(self.stream, start.into_iter().chain(rest), None, true);
    }
}

/// Returns a field that is worth an entry in the peer's table.
fn constant<'a>(name: &'a [u8], value: &'a [u8]) -> Field<'a> {
    Field {
        name,
        value,
        indexing: Indexing::Index,
    }
}

/// Returns a field that differs between calls.
pub(crate) fn literal<'a>((name, value): (&'a [u8], &'a [u8])) -> Field<'a> {
    Field {
        name,
        value,
        indexing: Indexing::Literal,
    }
}
