//! Frames and header blocks of an attacker, as in RFC 9113 §4 and RFC 7541.
//!
//! Nothing is validated here: stream 0, wrong lengths and fields with line breaks are the purpose
//! of this file.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEAD_BYTES: usize = 9;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// Frame type that no document defines.
pub const UNKNOWN: u8 = 0xbe;

/// END_STREAM, and ACK of SETTINGS and PING.
pub const END: u8 = 0x1;
pub const ACK: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;

pub const HEADER_TABLE_SIZE: u16 = 1;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// Encodes a frame with any contents.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn data(stream: u32, flags: u8, body: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, body)
}

/// Encodes HEADERS with a complete block.
pub fn headers(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

pub fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(6 * entries.len());
    for (id, value) in entries {
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, payload)
}

pub fn ping(opaque: u64) -> Vec<u8> {
    frame(PING, 0, 0, opaque.to_be_bytes())
}

pub fn reset(stream: u32) -> Vec<u8> {
    const CANCEL: u32 = 8;
    frame(RST_STREAM, 0, stream, CANCEL.to_be_bytes())
}

pub fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

/// Encodes GOAWAY of NO_ERROR with `debug` data.
pub fn go_away(stream: u32, last: u32, debug: &[u8]) -> Vec<u8> {
    let payload = [&last.to_be_bytes(), &[0; 4][..], debug].concat();
    frame(GOAWAY, 0, stream, payload)
}

pub fn priority(stream: u32, depends_on: u32) -> Vec<u8> {
    let payload = [&depends_on.to_be_bytes()[..], &[16]].concat();
    frame(PRIORITY, 0, stream, payload)
}

/// Encodes an HPACK integer below the bits `high` (RFC 7541 §5.1).
fn integer(value: usize, prefix_bits: u32, high: u8, out: &mut Vec<u8>) {
    let full = (1usize << prefix_bits) - 1;
    if value < full {
        return out.push(high | value as u8);
    }
    out.push(high | full as u8);
    let mut rest = value - full;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn literal(first: u8, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    for text in [name, value] {
        integer(text.len(), 7, 0, out);
        out.extend(text);
    }
}

/// Field as bytes, because a malformed one need not be text.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// Encodes a header block that does not use the table: literals without indexing.
pub fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        literal(0x00, name, value, &mut out);
    }
    out
}

/// Encodes a field that is inserted into the table.
pub fn inserted(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    literal(0x40, name, value, &mut out);
    out
}

/// Encodes a field by its index; the newest insertion has 62.
pub fn indexed(index: usize) -> Vec<u8> {
    let mut out = Vec::new();
    integer(index, 7, 0x80, &mut out);
    out
}

/// Encodes a size update of the table.
pub fn table_size(bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    integer(bytes, 5, 0x20, &mut out);
    out
}

pub const GET_USER: &[u8] = b"/user.UserService/GetUser";
pub const LOOKUP: &[u8] = b"/user.UserService/Lookup";
pub const IMPORT_USERS: &[u8] = b"/user.UserService/ImportUsers";
pub const UNARY_CALL: &[u8] = b"/grpc.testing.BenchmarkService/UnaryCall";
pub const STREAMING_CALL: &[u8] = b"/grpc.testing.BenchmarkService/StreamingCall";

/// Returns the fields that every gRPC request needs.
pub fn head(path: &[u8]) -> [Field<'_>; 6] {
    [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"attacked.example"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
}

/// Encodes the header block of a valid gRPC request.
pub fn request(path: &[u8]) -> Vec<u8> {
    block(&head(path))
}

/// Encodes the header block of a gRPC request with additional fields at its end.
pub fn request_with(path: &[u8], more: &[Field<'_>]) -> Vec<u8> {
    block(&[&head(path)[..], more].concat())
}

/// Encodes a gRPC message with its five-byte prefix.
pub fn message(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    out.extend((body.len() as u32).to_be_bytes());
    out.extend(body);
    out
}

/// Encodes `user.UserRequest { id: 1 }`.
pub fn user_request() -> Vec<u8> {
    message(&[0x08, 1])
}

fn varint(value: usize, out: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Encodes `grpc.testing.SimpleRequest { response_size }`.
pub fn payload_request(response_size: usize) -> Vec<u8> {
    let mut body = vec![0x10];
    varint(response_size, &mut body);
    message(&body)
}

/// Encodes `grpc.testing.SimpleRequest { response_size }`, padded to about `len` bytes with an
/// unknown field.
pub fn padded_request(response_size: usize, len: usize) -> Vec<u8> {
    const UNKNOWN_FIELD: u8 = 15 << 3 | 2;
    const REST_BYTES: usize = 32;
    let mut body = vec![0x10];
    varint(response_size, &mut body);
    body.push(UNKNOWN_FIELD);
    varint(len - REST_BYTES, &mut body);
    body.resize(body.len() + len - REST_BYTES, 0);
    message(&body)
}

/// Encodes a complete unary call of `GetUser`: two frames.
pub fn whole_call(stream: u32) -> Vec<u8> {
    [
        headers(stream, 0, request(GET_USER)),
        data(stream, END, &user_request()),
    ]
    .concat()
}
