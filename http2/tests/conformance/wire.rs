//! Frames as the tests write and read them, straight from RFC 9113 §4 and §6.

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// END_STREAM, and ACK of SETTINGS and PING.
pub(crate) const END: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The name of an error code (RFC 9113 §7).
pub(crate) fn code(number: u32) -> String {
    match CODES.get(number as usize) {
        Some(name) => (*name).into(),
        None => format!("{number:#x}"),
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub(crate) fn data(stream: u32, flags: u8, body: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, body)
}

/// DATA with `pad` bytes behind the body.
pub(crate) fn padded_data(stream: u32, flags: u8, body: &[u8], pad: u8) -> Vec<u8> {
    let zeros = vec![0; usize::from(pad)];
    frame(
        DATA,
        flags | PADDED,
        stream,
        [&[pad], body, &zeros].concat(),
    )
}

/// HEADERS whose block is whole.
pub(crate) fn headers(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

pub(crate) fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let entry = |&(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(
        SETTINGS,
        0,
        0,
        entries.iter().flat_map(entry).collect::<Vec<u8>>(),
    )
}

pub(crate) fn settings_ack() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, [])
}

pub(crate) fn ping(flags: u8, opaque: u64) -> Vec<u8> {
    frame(PING, flags, 0, opaque.to_be_bytes())
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, payload)
}

pub(crate) fn priority(stream: u32, depends_on: u32) -> Vec<u8> {
    let payload = [&depends_on.to_be_bytes()[..], &[16]].concat();
    frame(PRIORITY, 0, stream, payload)
}

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

fn literal(first: u8, name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(first);
    for text in [name, value] {
        integer(text.len(), 7, 0, out);
        out.extend(text.as_bytes());
    }
}

/// A header block that leaves the table alone: literals without indexing.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        literal(0x00, name, value, &mut out);
    }
    out
}

/// One field that is inserted into the table.
pub(crate) fn inserted(name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    literal(0x40, name, value, &mut out);
    out
}

/// One field by its index.
pub(crate) fn indexed(index: usize) -> Vec<u8> {
    let mut out = Vec::new();
    integer(index, 7, 0x80, &mut out);
    out
}

/// A size update of the table.
pub(crate) fn table_size(bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    integer(bytes, 5, 0x20, &mut out);
    out
}

pub(crate) const REQUEST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/greeter/hello"),
    (":authority", "example.com"),
];

/// A request head with `more` fields.
pub(crate) fn request(more: &[(&str, &str)]) -> Vec<u8> {
    block(&[&REQUEST[..], more].concat())
}

/// A response head with `more` fields.
pub(crate) fn response(more: &[(&str, &str)]) -> Vec<u8> {
    block(&[&[(":status", "200")][..], more].concat())
}

/// A frame as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// All frames of an output, which must be whole.
pub(crate) fn read(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let len = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        let stream = u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
        assert_eq!(stream >> 31, 0, "the reserved bit is sent as zero");
        let payload = bytes[9..9 + len].to_vec();
        let (kind, flags) = (bytes[3], bytes[4]);
        frames.push(Frame {
            kind,
            flags,
            stream,
            payload,
        });
        bytes = &bytes[9 + len..];
    }
    frames
}

impl Frame {
    pub(crate) fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END != 0
    }

    /// The `at`th four bytes of the payload as a number.
    pub(crate) fn word(&self, at: usize) -> u32 {
        let bytes = &self.payload[at * 4..at * 4 + 4];
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    }

    /// The frame in words, upper case.
    pub(crate) fn words(&self) -> String {
        let stream = self.stream;
        let end = if self.ends() { " end" } else { "" };
        let ack = if self.flags & ACK != 0 { " ack" } else { "" };
        match self.kind {
            DATA => format!("DATA {stream} {}{end}", self.payload.escape_ascii()),
            HEADERS => format!("HEADERS {stream}{end}"),
            RST_STREAM => format!("RST_STREAM {stream} {}", code(self.word(0))),
            SETTINGS => format!("SETTINGS{ack}"),
            PING => format!(
                "PING{ack} {}",
                u64::from(self.word(0)) << 32 | u64::from(self.word(1))
            ),
            GOAWAY => format!("GOAWAY {} {}", self.word(0), code(self.word(1))),
            WINDOW_UPDATE => format!("WINDOW_UPDATE {stream} {}", self.word(0)),
            CONTINUATION => format!("CONTINUATION {stream}"),
            kind => format!("KIND {kind}"),
        }
    }
}
