//! The peer that keeps to no rule: lawful frames, so that it gets far, and every kind of others.

use corespun_http2::Role;

use super::wire::*;
use super::{Choice, share};

/// What it may do next; the place of a name is that of its weight.
pub(crate) const MOVES: [&str; 18] = [
    "head",
    "body",
    "padded body",
    "trailers",
    "reset",
    "credit",
    "settings",
    "acknowledge",
    "ping",
    "priority",
    "continued",
    "table",
    "bomb",
    "go away",
    "noise",
    "oversize",
    "push",
    "mutate",
];

/// Fields that a head may carry, the later ones malformed (RFC 9113 §8.2, §8.3).
const FIELDS: [(&[u8], &[u8]); 16] = [
    (b"x-id", b"1"),
    (b"cookie", b"a=b"),
    (b"te", b"trailers"),
    (b"grpc-timeout", b"1S"),
    (b"content-length", b"5"),
    (b"content-length", b"0"),
    (b"grpc-status", b"0"),
    (b"host", b"example.com"),
    (b"content-length", b"18446744073709551616"),
    (b"connection", b"close"),
    (b"te", b"gzip"),
    (b"X-Upper", b"1"),
    (b"", b""),
    (b":late", b""),
    (b"a", b"b\r\nc"),
    (b"transfer-encoding", b"chunked"),
];

const REQUEST: [(&[u8], &[u8]); 4] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a/b"),
    (b":authority", b"x"),
];
const RESPONSE: [(&[u8], &[u8]); 2] = [(b":status", b"200"), (b"content-type", b"grpc")];

/// The numbers at which arithmetic goes wrong.
const EDGES: [u32; 8] = [
    0,
    1,
    1_000,
    16_384,
    65_535,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// One end of a connection that means harm.
pub(crate) struct Adversary {
    /// What it attacks.
    pub(crate) target: Role,
    /// How often it makes each of [`MOVES`], in shares.
    weights: [usize; MOVES.len()],
    /// The highest stream that has been opened, by whichever end opens them.
    top: u32,
}

impl Adversary {
    pub(crate) fn new(target: Role, weights: [usize; MOVES.len()]) -> Adversary {
        let top = if target == Role::Server { u32::MAX } else { 1 };
        Adversary {
            target,
            weights,
            top,
        }
    }

    /// The other end has opened streams up to this one.
    pub(super) fn raise(&mut self, opened: u32) {
        if self.target == Role::Client {
            self.top = opened.max(1);
        }
    }

    /// What it says first: almost always what it must.
    pub(super) fn hello(&self, choice: &mut impl Choice) -> Vec<u8> {
        let mut bytes = Vec::new();
        if choice.below(50) == 49 {
            return bytes;
        }
        if self.target == Role::Server {
            bytes.extend(PREFACE);
        }
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes
    }

    /// The name of its next move and the bytes of it.
    pub(super) fn attack(&mut self, choice: &mut impl Choice) -> (&'static str, Vec<u8>) {
        let at = share(choice, &self.weights);
        (MOVES[at], self.bytes_of(MOVES[at], choice))
    }

    fn bytes_of(&mut self, name: &str, choice: &mut impl Choice) -> Vec<u8> {
        match name {
            "head" => self.head(choice),
            "body" => self.body(choice, false),
            "padded body" => self.body(choice, true),
            "trailers" => self.trailers(choice),
            "reset" => {
                let code = choice.below(16) as u32;
                frame(RST_STREAM, 0, self.stream(choice), &code.to_be_bytes())
            }
            "credit" => self.credit(choice),
            "settings" => settings(choice),
            "acknowledge" => frame(SETTINGS, END, 0, &[]),
            "ping" => frame(PING, choice.pick(&[0, 0, END]), 0, &[7; 8]),
            "priority" => self.priority(choice),
            "continued" => self.continued(choice),
            "table" => self.with_block(choice, table_games),
            "bomb" => self.with_block(choice, bomb),
            "go away" => {
                let words = [choice.pick(&EDGES).to_be_bytes(), [0; 4]].concat();
                frame(GOAWAY, 0, 0, &words)
            }
            "oversize" => {
                let len = choice.pick(&[16_384, 16_385, 20_000]);
                let kind = choice.pick(&[DATA, HEADERS, SETTINGS, 0xbe]);
                frame(kind, 0, self.stream(choice), &vec![0; len])
            }
            "push" => frame(
                PUSH_PROMISE,
                END_HEADERS,
                self.stream(choice),
                &[0, 0, 0, 2],
            ),
            "mutate" => self.mutated(choice),
            _ => self.noise(choice),
        }
    }

    /// Some stream: mostly one that may be open, at times one that cannot be.
    fn stream(&mut self, choice: &mut impl Choice) -> u32 {
        match choice.below(20) {
            0 => 0,
            1 => 2,
            2 => choice.pick(&EDGES) & 0x7fff_ffff,
            3 => self.top.wrapping_add(2),
            _ => self.top.saturating_sub(2 * choice.below(6) as u32).max(1),
        }
    }

    /// Where the next head goes: onto a new stream of its own, or onto one of the other end.
    fn head_stream(&mut self, choice: &mut impl Choice) -> u32 {
        if self.target == Role::Client || choice.chance(8) {
            return self.stream(choice);
        }
        self.top = self.top.wrapping_add(2) & 0x7fff_ffff | 1;
        self.top
    }

    fn fields(&self) -> &'static [(&'static [u8], &'static [u8])] {
        match self.target {
            Role::Server => &REQUEST,
            Role::Client => &RESPONSE,
        }
    }

    fn head_block(&self, choice: &mut impl Choice) -> Vec<u8> {
        let mut block = Vec::new();
        if choice.below(10) == 9 {
            integer(choice.pick(&[0, 100, 4096, 4097]), 5, 0x20, &mut block);
        }
        for (name, value) in self.fields() {
            literal(choice.pick(&[0x00, 0x40]), name, value, &mut block);
        }
        for _ in 0..choice.pick(&[0, 0, 1, 3]) {
            // Early ones more often, so that most heads are well formed.
            let at = choice.below(FIELDS.len()).min(choice.below(FIELDS.len()));
            let (name, value) = FIELDS[at];
            literal(choice.pick(&[0x00, 0x10, 0x40]), name, value, &mut block);
        }
        block
    }

    fn head(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let end = choice.pick(&[0, 0, END]);
        let block = self.head_block(choice);
        frame(HEADERS, END_HEADERS | end, self.head_stream(choice), &block)
    }

    /// A head that any server serves, without a trace in the table.
    pub(super) fn lawful_request(&self, stream: u32) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in REQUEST {
            literal(0x00, name, value, &mut block);
        }
        frame(HEADERS, END_HEADERS | END, stream, &block)
    }

    fn with_block<C: Choice>(&mut self, choice: &mut C, more: fn(&mut C) -> Vec<u8>) -> Vec<u8> {
        let mut block = match choice.chance(70) {
            true => self.head_block(choice),
            false => Vec::new(),
        };
        block.extend(more(choice));
        frame(HEADERS, END_HEADERS, self.head_stream(choice), &block)
    }

    fn body(&mut self, choice: &mut impl Choice, padded: bool) -> Vec<u8> {
        let most = choice.pick(&[1, 10, 1_000, 16_384]);
        let mut payload = vec![b'x'; choice.below(most)];
        let mut flags = choice.pick(&[0, 0, 0, END]);
        if padded {
            flags |= PADDED;
            payload.insert(0, choice.pick(&[0, 1, 3, 255]));
        }
        frame(DATA, flags, self.stream(choice), &payload)
    }

    fn trailers(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let mut block = Vec::new();
        literal(0x40, b"grpc-status", b"0", &mut block);
        let flags = choice.pick(&[END_HEADERS | END, END_HEADERS | END, END_HEADERS]);
        frame(HEADERS, flags, self.stream(choice), &block)
    }

    fn credit(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let increment = choice.pick(&EDGES).to_be_bytes();
        let stream = if choice.chance(40) {
            0
        } else {
            self.stream(choice)
        };
        frame(WINDOW_UPDATE, 0, stream, &increment)
    }

    fn priority(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let (stream, on) = (self.stream(choice), self.stream(choice));
        let payload = [&on.to_be_bytes()[..], &[16, 0]].concat();
        frame(PRIORITY, 0, stream, &payload[..choice.pick(&[5, 5, 4, 6])])
    }

    /// A block over several frames, at times interrupted or without an end.
    fn continued(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let stream = self.head_stream(choice);
        let block = self.head_block(choice);
        let (first, rest) = block.split_at(choice.below(block.len()));
        let mut bytes = frame(HEADERS, choice.pick(&[0, END]), stream, first);
        for _ in 0..choice.pick(&[0, 0, 1, 7, 8, 9]) {
            bytes.extend(frame(CONTINUATION, 0, stream, &[]));
        }
        if choice.below(20) == 19 {
            bytes.extend(frame(PING, 0, 0, &[1; 8]));
        }
        if choice.below(20) != 19 {
            bytes.extend(frame(CONTINUATION, END_HEADERS, stream, rest));
        }
        bytes
    }

    fn noise(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let (kind, flags) = (choice.below(12) as u8, choice.below(256) as u8);
        let payload: Vec<u8> = (0..choice.below(40))
            .map(|_| choice.below(256) as u8)
            .collect();
        let kind = if choice.chance(50) { 0xee } else { kind };
        frame(kind, flags, self.stream(choice), &payload)
    }

    /// A lawful move with a few bits or bytes of it changed.
    fn mutated(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let name = MOVES[choice.below(11)];
        let mut bytes = self.bytes_of(name, choice);
        for _ in 0..1 + choice.below(3) {
            let at = choice.below(bytes.len());
            match choice.below(3) {
                0 => bytes[at] ^= 1 << choice.below(8),
                1 => bytes[at] = choice.below(256) as u8,
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    }
}

fn settings(choice: &mut impl Choice) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..choice.pick(&[0, 1, 1, 2, 32, 33]) {
        let id = 1 + choice.below(8) as u16;
        let value = match id {
            2 => choice.pick(&[0, 0, 0, 1, 2]),
            3 => choice.pick(&[0, 1, 100, u32::MAX]),
            5 => choice.pick(&[16_384, 20_000, 0xff_ffff, 16_383]),
            _ => choice.pick(&EDGES),
        };
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

/// Pieces of a block that move the table or miss it (RFC 7541 §4, §5).
fn table_games(choice: &mut impl Choice) -> Vec<u8> {
    let mut block = Vec::new();
    for _ in 0..1 + choice.below(4) {
        match choice.below(8) {
            0..3 => integer(choice.below(70), 7, 0x80, &mut block),
            3 => integer(choice.pick(&[0, 61, 62, 200, 1 << 30]), 7, 0x80, &mut block),
            4 => integer(
                choice.pick(&[0, 31, 4_096, 5_000, 1 << 31]),
                5,
                0x20,
                &mut block,
            ),
            5 => block.extend([0x00, 0x81, 0xff, 0x82, 0xff, 0xff]),
            6 => block.extend([0xff; 7]),
            _ => literal(
                0x40,
                b"x-long",
                &vec![b'v'; choice.below(5_000)],
                &mut block,
            ),
        }
    }
    block
}

/// Few bytes that stand for many (CVE-2016-6581, CVE-2026-49975).
fn bomb(choice: &mut impl Choice) -> Vec<u8> {
    let mut block = Vec::new();
    literal(
        0x40,
        b"b",
        &vec![b'v'; choice.pick(&[1, 300, 4_000])],
        &mut block,
    );
    let times = choice.pick(&[4, 120, 130, 1_100, 15_000]);
    block.extend(core::iter::repeat_n(0xbe, times));
    block
}
