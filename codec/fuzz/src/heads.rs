//! Header lists as calls read them.

use corespun_codec::head::{self, Target};
use corespun_codec::{Code, MetadataMap, RequestHead, Status, timeout};

type Field<'a> = (&'a [u8], &'a [u8]);

/// Names that mean something, so that a single byte reaches them.
const NAMES: [&[u8]; 16] = [
    b":method",
    b":path",
    b":authority",
    b":status",
    b"host",
    b"content-type",
    b"te",
    b"grpc-timeout",
    b"grpc-encoding",
    b"grpc-accept-encoding",
    b"grpc-status",
    b"grpc-message",
    b"grpc-status-details-bin",
    b"x-bytes-bin",
    b"x-text",
    b"user-agent",
];

const REQUEST: [Field<'static>; 3] = [
    (b":method", b"POST"),
    (b":path", b"/user.UserService/GetUser"),
    (b"content-type", b"application/grpc"),
];

/// A list of fields: a byte for a known name, or its length with its bytes behind it, then the
/// value in the same way.
fn fields(mut data: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while let Some((&first, rest)) = data.split_first() {
        let (name, rest) = match NAMES.get(usize::from(first)) {
            Some(name) => (*name, rest),
            None => rest.split_at(usize::from(first - 16).min(rest.len())),
        };
        let (&len, rest) = rest.split_first().unwrap_or((&0, rest));
        let (value, rest) = rest.split_at(usize::from(len).min(rest.len()));
        fields.push((name, value));
        data = rest;
    }
    fields
}

/// A request's head: read, or refused with a status that can be sent. The first byte says whether
/// the fields that every call has are there already.
pub fn request_head(data: &[u8]) {
    let (&first, rest) = data.split_first().unwrap_or((&0, data));
    let mut list = fields(rest);
    if first % 2 == 0 {
        list.splice(0..0, REQUEST);
    }
    let mut head = RequestHead::default();
    match head::parse_request(list.iter().copied(), &mut head) {
        Ok(path) => {
            write_again(path, &head);
            let mut status = Status::not_found("no user");
            *status.metadata_mut() = head.metadata;
            survives(&status);
        }
        Err(error) => {
            assert!(error.http_status_text().iter().all(u8::is_ascii_digit));
            survives(&error.status);
        }
    }
}

/// Writes a parsed head, and checks that it reads back as an equal head.
fn write_again(path: &[u8], head: &RequestHead) {
    let Ok(path) = str::from_utf8(path) else {
        return;
    };
    let mut text = Vec::new();
    let timeout = head.timeout.map(|timeout| {
        timeout::write(timeout, &mut text);
        &text[..]
    });
    let target = Target {
        scheme: "http",
        authority: &head.authority,
        path,
    };
    let list: Vec<Field<'_>> = head::request_fields(target, timeout, &head.metadata).collect();
    let mut again = RequestHead::default();
    let path_again = head::parse_request(list.iter().copied(), &mut again);
    assert_eq!(path_again.expect("our own head is lawful"), path.as_bytes());
    assert_eq!(again.authority, head.authority);
    // The finest unit that fits may round a timeout up.
    assert!(again.timeout >= head.timeout);
    let sent = head.metadata.iter();
    assert!(sent.eq(
        again.metadata.iter().filter(|(key, _)| {
            *key != "user-agent" || head.metadata.contains_key("user-agent")
        })
    ));
}

/// A response's first block and its trailers: they come to something, whatever they hold.
pub fn response_head(data: &[u8]) {
    let (&first, rest) = data.split_first().unwrap_or((&0, data));
    let mut list = fields(rest);
    if first % 2 == 0 {
        list.splice(0..0, [(&b":status"[..], &b"200"[..])]);
    }
    if first % 4 < 2 {
        list.push((b"content-type", b"application/grpc"));
    }
    let mut metadata = MetadataMap::new();
    match head::parse_response(list.iter().copied(), first % 8 < 4, &mut metadata) {
        Ok(head::ResponseStart::Foreign(mut foreign)) => {
            foreign.push(rest);
            let given = Status::from_trailers(list.iter().copied());
            let status = foreign.into_status(Some(given));
            assert_ne!(status.code(), Code::Ok, "{status}");
            survives(&status);
        }
        Ok(head::ResponseStart::Open(_)) => {}
        Ok(head::ResponseStart::Ended(status)) | Err(status) => survives(&status),
    }
    survives(&Status::from_trailers(list.iter().copied()));
}

/// Names of fields that the gRPC layer sends about a call, and metadata must not have.
const OWN: [&[u8]; 3] = [b"grpc-status", b"grpc-message", b"grpc-status-details-bin"];

/// A status is the same after a journey in trailers, whatever metadata came with it.
fn survives(status: &Status) {
    let mut scratch = Vec::new();
    let trailers: Vec<Field<'_>> = status.fields(&mut scratch).collect();
    for name in OWN {
        let values: Vec<_> = trailers.iter().filter(|field| field.0 == name).collect();
        assert!(values.len() <= 1, "{status:?} says {values:?}");
        let printable = |value: &[u8]| value.iter().all(|byte| (0x20..0x7f).contains(byte));
        assert!(
            values.iter().all(|(_, value)| printable(value)),
            "{values:?} may not be sent"
        );
    }
    let again = Status::from_trailers(trailers.into_iter());
    assert_eq!(again.code(), status.code());
    assert_eq!(again.message(), status.message());
    assert_eq!(again.details(), status.details());
}
