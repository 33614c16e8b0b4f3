//! First header block of a response: parsing on a client, writing on a server.

use super::{ContentType, Field, ForeignResponse, encoding, subtype};
use crate::{Encoding, Encodings, MetadataMap, Status};

/// Result of parsing a response's first block (client).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseStart {
    /// A gRPC response: messages in this encoding follow, then trailers. A `grpc-status` in this
    /// block does not count.
    Open(Encoding),
    /// Trailers-only: the call has ended.
    Ended(Status),
    /// A response that is not gRPC, such as a proxy's error page. Give its body to
    /// [`ForeignResponse::push`] and end the call with [`ForeignResponse::into_status`].
    Foreign(ForeignResponse),
}

/// Parses a response's first block; 1xx blocks are skipped. `end_stream` is true if nothing
/// follows. `metadata` is overwritten. For a trailers-only response it stays empty, because that
/// metadata belongs to the status.
///
/// # Errors
/// INTERNAL when the block is malformed or the messages are in an encoding that is not known here:
/// reset the stream and end the call with this status. The caller looks whether it was offered.
pub fn parse_response<'a>(
    fields: impl Iterator<Item = Field<'a>> + Clone,
    end_stream: bool,
    metadata: &mut MetadataMap,
) -> Result<ResponseStart, Status> {
    metadata.clear();
    let find = |wanted: &[u8]| {
        fields
            .clone()
            .find(|(name, _)| *name == wanted)
            .map(|(_, v)| v)
    };
    let http_status = find(b":status").and_then(parse_http_status);
    let http_status = http_status.ok_or_else(|| Status::internal("the response has no :status"))?;
    let content_type = find(b"content-type");
    let is_grpc = http_status == 200 && content_type.and_then(subtype).is_some();
    if is_grpc && end_stream {
        return Ok(ResponseStart::Ended(Status::from_trailers(fields)));
    }
    if !is_grpc {
        let foreign = ForeignResponse::new(http_status, content_type);
        if end_stream {
            // A missing grpc-status and an OK mean the same here: neither refines the status.
            let given = Status::from_trailers_or(fields, || Status::ok(""));
            return Ok(ResponseStart::Ended(foreign.into_status(Some(given))));
        }
        for (name, value) in ahead_of_messages(fields) {
            // What a proxy adds to its error page has no need to be good metadata.
            drop(metadata.receive(name, value));
        }
        return Ok(ResponseStart::Foreign(foreign));
    }
    let encoding = encoding(find(b"grpc-encoding"), Encodings::ALL).map_err(Status::internal)?;
    for (name, value) in ahead_of_messages(fields) {
        metadata.receive(name, value)?;
    }
    Ok(ResponseStart::Open(encoding))
}

/// Returns the fields that are metadata even in a block that messages follow.
fn ahead_of_messages<'a>(
    fields: impl Iterator<Item = Field<'a>>,
) -> impl Iterator<Item = Field<'a>> {
    fields.filter(|(name, _)| {
        !matches!(
            *name,
            b"grpc-encoding"
                | b"grpc-accept-encoding"
                | b"grpc-status"
                | b"grpc-message"
                | b"grpc-status-details-bin"
        )
    })
}

fn parse_http_status(value: &[u8]) -> Option<u16> {
    match value {
        &[a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => Some(
            [a, b, c]
                .iter()
                .fold(0, |number, digit| number * 10 + u16::from(digit - b'0')),
        ),
        _ => None,
    }
}

/// Returns the fields of a response's first block: `:status`, `content-type`, then the metadata.
pub fn response_fields(
    content_type: ContentType,
    metadata: &MetadataMap,
) -> impl Iterator<Item = Field<'_>> + Clone {
    let start: [Field<'_>; 2] = [
        (b":status", b"200"),
        (b"content-type", content_type.as_bytes()),
    ];
    start.into_iter().chain(metadata.fields())
}
