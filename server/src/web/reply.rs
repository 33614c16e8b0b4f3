//! Reply to a gRPC-Web call, whose status is the last frame of the body.

use corespun_codec::head::list_bytes;
use corespun_codec::message::PREFIX_BYTES;
use corespun_codec::{MetadataMap, Status};
use corespun_http2::hpack::Field;

use super::cors::{Origin, exposed_names};
use super::form::WebForm;
use super::{GrpcWeb, text};
use crate::reply::{Reply, literal};

/// Flag of a frame that holds trailers (`PROTOCOL-WEB.md`).
const TRAILERS_FLAG: u8 = 0x80;

impl Reply<'_> {
    /// Sends the head of a reply with a body.
    pub(crate) fn web_head<'f>(
        &mut self,
        form: WebForm,
        metadata: Option<&MetadataMap>,
        compressed: Option<Field<'f>>,
    ) {
        let metadata = metadata.unwrap_or(MetadataMap::EMPTY);
        let exposed = exposed(metadata);
        let start = self.web_start(form, b"200").map(literal);
        let rules = rules(self.web, form.origin, &exposed).map(literal);
        let fields = start.into_iter().chain(compressed).chain(rules);
        let fields = fields.chain(metadata.fields().map(literal));
        self.http2.send_headers(self.stream, fields, None, false);
    }

    /// Sends a head that is the whole reply, with the status among its fields.
    pub(crate) fn web_trailers_only(
        &mut self,
        form: WebForm,
        http_status: &[u8],
        status: &Status,
        metadata: &MetadataMap,
    ) {
        let mut scratch = Vec::new();
        let exposed = exposed(metadata);
        let start = self.web_start(form, http_status);
        let rules = rules(self.web, form.origin, &exposed);
        let used = list_bytes(start.into_iter()) + list_bytes(rules.clone());
        let rest = status.fields_within(metadata, self.room(used), &mut scratch);
        let fields = start.into_iter().map(literal).chain(rest.map(literal));
        let fields = fields.chain(rules.map(literal));
        self.http2.send_headers(self.stream, fields, None, true);
    }

    /// Returns the fields that a reply starts with.
    fn web_start<'f>(&self, form: WebForm, http_status: &'f [u8]) -> [(&'f [u8], &'f [u8]); 2] {
        let content_type = form.content_type(self.form.content_type);
        [(b":status", http_status), (b"content-type", content_type)]
    }

    /// Sends the frame of trailers, which ends the reply.
    pub(crate) fn web_trailers<'f>(
        &mut self,
        form: WebForm,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) {
        let mut frame = corespun_runtime::take_buffer();
        write_trailers(fields, &mut frame);
        self.web_body(form, &frame, true);
        corespun_runtime::give_buffer(frame);
    }

    /// Sends body bytes in the form of the call.
    pub(crate) fn web_body(&mut self, form: WebForm, bytes: &[u8], end_stream: bool) {
        if !form.writes_text {
            return self.http2.send_data(self.stream, bytes, end_stream);
        }
        let mut encoded = corespun_runtime::take_buffer();
        text::encode(bytes, &mut encoded);
        self.http2.send_data(self.stream, &encoded, end_stream);
        corespun_runtime::give_buffer(encoded);
    }
}

/// Returns the CORS fields of a reply.
fn rules<'f>(
    web: Option<&'f GrpcWeb>,
    origin: Origin,
    exposed: &'f str,
) -> impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone {
    let fields = web.map(|web| web.reply_fields(origin, exposed));
    fields.into_iter().flatten()
}

/// Returns the names of the metadata that a page may read.
fn exposed(metadata: &MetadataMap) -> String {
    exposed_names(metadata.iter().map(|(name, _)| name))
}

/// Appends trailers as a frame: flag, length, and a line for each field.
fn write_trailers<'f>(fields: impl Iterator<Item = (&'f [u8], &'f [u8])>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[TRAILERS_FLAG, 0, 0, 0, 0]);
    for (name, value) in fields {
        // A value with a line break would be parsed as one more field.
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            continue;
        }
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    let len = u32::try_from(out.len() - start - PREFIX_BYTES).unwrap_or(u32::MAX);
    out[start + 1..start + PREFIX_BYTES].copy_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_a_frame_of_lines() {
        let fields: [(&[u8], &[u8]); 3] = [
            (b"grpc-status", b"5"),
            (b"x-bad", b"a\r\nb: c"),
            (b"grpc-message", b"no user 7"),
        ];
        let mut out = b"kept".to_vec();
        write_trailers(fields.into_iter(), &mut out);
        let lines = b"grpc-status: 5\r\ngrpc-message: no user 7\r\n";
        assert_eq!(out[..9], *b"kept\x80\0\0\0\x29");
        assert_eq!(out[9..], *lines);
        assert_eq!(lines.len(), 0x29);
    }
}
