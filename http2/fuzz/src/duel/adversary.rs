//! The peer that keeps to no rule: lawful frames, so that it gets far, and every kind of others.

use corespun_http2::Role;

use super::wire::*;
use super::{Choice, share};

/// Names of the adversary's moves; the index of a name is that of its weight.
const MOVES: [&str; 18] = [
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

/// Number of entries at the start of [`FIELDS`] that any message may carry.
const FIELDS_LAWFUL: usize = 4;

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

/// A stream that the adversary has not ended.
#[derive(Clone, Copy)]
struct Begun {
    id: u32,
    /// Its head was sent, so that bodies and trailers may follow.
    headed: bool,
}

/// Character of an adversary.
#[derive(Clone, Copy)]
pub(crate) struct Temper {
    /// Relative frequency of each of [`MOVES`].
    pub(crate) weights: [usize; MOVES.len()],
    /// Percentage of its choices that are lawful: a connection survives few errors.
    pub(crate) manners: usize,
}

/// One end of a connection that means harm.
pub(crate) struct Adversary {
    /// Role of the connection that it attacks.
    pub(crate) target: Role,
    temper: Temper,
    /// The highest stream that has been opened, by whichever end opens them.
    top: u32,
    begun: Vec<Begun>,
    /// Bytes of DATA that the target's connection window admits.
    pub(super) room: usize,
}

impl Adversary {
    pub(crate) fn new(target: Role, temper: Temper) -> Adversary {
        Adversary {
            target,
            temper,
            top: 0,
            begun: Vec::new(),
            room: 0,
        }
    }

    /// The other end has opened streams up to this one.
    pub(super) fn raise(&mut self, opened: u32) {
        if self.target == Role::Client && opened > self.top {
            let ids = (self.top + 1..=opened).filter(|id| id % 2 == 1);
            self.begun.extend(ids.map(|id| Begun { id, headed: false }));
            self.top = opened;
        }
    }

    /// Returns its first bytes: almost always the required ones.
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
        let at = share(choice, &self.temper.weights);
        (MOVES[at], self.bytes_of(MOVES[at], choice))
    }

    /// This choice keeps to the rules.
    fn is_lawful(&self, choice: &mut impl Choice) -> bool {
        choice.chance(self.temper.manners)
    }

    fn bytes_of(&mut self, name: &str, choice: &mut impl Choice) -> Vec<u8> {
        match name {
            "head" => self.head(choice),
            "body" => self.body(choice, false),
            "padded body" => self.body(choice, true),
            "trailers" => self.trailers(choice),
            "reset" => self.reset(choice),
            "credit" => self.credit(choice),
            "settings" => settings(self.is_lawful(choice), choice),
            "acknowledge" => frame(SETTINGS, END, 0, &[]),
            "ping" => frame(PING, choice.pick(&[0, 0, END]), 0, &[7; 8]),
            "priority" => self.priority(choice),
            "continued" => self.continued(choice),
            "table" => self.with_block(choice, table_games),
            "bomb" => self.with_block(choice, bomb),
            "go away" => {
                let lawful = self.is_lawful(choice);
                let last = if lawful { 0 } else { choice.pick(&EDGES) };
                frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
            }
            "oversize" => self.oversize(choice),
            "push" if !self.is_lawful(choice) => frame(
                PUSH_PROMISE,
                END_HEADERS,
                self.stream(choice),
                &[0, 0, 0, 2],
            ),
            "mutate" if !self.is_lawful(choice) => self.mutated(choice),
            _ => self.noise(choice),
        }
    }

    /// Some stream, at times one that cannot be.
    fn stream(&mut self, choice: &mut impl Choice) -> u32 {
        if self.is_lawful(choice) {
            return self.top.saturating_sub(2 * choice.below(6) as u32).max(1);
        }
        match choice.below(4) {
            0 => 0,
            1 => 2,
            2 => choice.pick(&EDGES) & 0x7fff_ffff,
            _ => self.top.wrapping_add(2),
        }
    }

    /// The place of a stream on which more may be said, or of none.
    fn begun(&self, headed: bool, choice: &mut impl Choice) -> Option<usize> {
        let places = || (0..self.begun.len()).filter(|at| self.begun[*at].headed == headed);
        let at = choice.below(places().count().max(1));
        places().nth(at)
    }

    /// Chooses the stream for a frame of a message, which may end it with `flags`.
    fn message_stream(&mut self, flags: u8, choice: &mut impl Choice) -> Option<u32> {
        if !self.is_lawful(choice) {
            return Some(self.stream(choice));
        }
        let at = self.begun(true, choice)?;
        Some(match flags & END {
            0 => self.begun[at].id,
            _ => self.begun.swap_remove(at).id,
        })
    }

    /// Chooses the stream for the next head: a new stream of its own, or one of the other end that
    /// has no head yet.
    fn head_stream(&mut self, flags: u8, choice: &mut impl Choice) -> Option<u32> {
        if !self.is_lawful(choice) {
            return Some(self.stream(choice));
        }
        let headed = flags & END == 0;
        if self.target == Role::Server {
            self.top = match self.top {
                0 => 1,
                top => (top + 2) & 0x7fff_ffff,
            };
            let id = self.top;
            if headed {
                self.begun.push(Begun { id, headed });
            }
            return Some(id);
        }
        let at = self.begun(false, choice)?;
        Some(match headed {
            true => {
                self.begun[at].headed = true;
                self.begun[at].id
            }
            false => self.begun.swap_remove(at).id,
        })
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
            integer(choice.pick(&[0, 100, 4096]), 5, 0x20, &mut block);
        }
        for (name, value) in self.fields() {
            literal(choice.pick(&[0x00, 0x40]), name, value, &mut block);
        }
        for _ in 0..choice.pick(&[0, 0, 1, 3]) {
            let lawful = self.is_lawful(choice);
            let at = choice.below(if lawful { FIELDS_LAWFUL } else { FIELDS.len() });
            let (name, value) = FIELDS[at];
            literal(choice.pick(&[0x00, 0x10, 0x40]), name, value, &mut block);
        }
        block
    }

    fn head(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let end = choice.pick(&[0, 0, END]);
        let block = self.head_block(choice);
        match self.head_stream(end, choice) {
            None => self.noise(choice),
            Some(stream) => frame(HEADERS, END_HEADERS | end, stream, &block),
        }
    }

    /// A head that any server serves, without a trace in the table.
    pub(super) fn lawful_request(&self, stream: u32) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in REQUEST {
            literal(0x00, name, value, &mut block);
        }
        frame(HEADERS, END_HEADERS | END, stream, &block)
    }

    fn with_block<C: Choice>(
        &mut self,
        choice: &mut C,
        more: fn(bool, &mut C) -> Vec<u8>,
    ) -> Vec<u8> {
        let mut block = self.head_block(choice);
        if choice.below(8) == 7 {
            block.clear();
        }
        block.extend(more(self.is_lawful(choice), choice));
        match self.head_stream(0, choice) {
            None => self.noise(choice),
            Some(stream) => frame(HEADERS, END_HEADERS, stream, &block),
        }
    }

    fn body(&mut self, choice: &mut impl Choice, padded: bool) -> Vec<u8> {
        let most = choice.pick(&[1, 10, 1_000, 16_384]);
        let mut payload = vec![b'x'; choice.below(most)];
        let mut flags = choice.pick(&[0, 0, 0, END]);
        if padded {
            let pad = choice.pick(&[0, 1, 3, 255]);
            flags |= PADDED;
            payload.insert(0, pad);
            if self.is_lawful(choice) {
                payload.extend(std::iter::repeat_n(0, usize::from(pad)));
            }
        }
        payload.truncate(16_384);
        self.data(flags, &payload, choice)
    }

    /// A DATA frame, which the lawful one holds back while there is no window for it.
    fn data(&mut self, flags: u8, payload: &[u8], choice: &mut impl Choice) -> Vec<u8> {
        if payload.len() > self.room && self.is_lawful(choice) {
            return self.noise(choice);
        }
        match self.message_stream(flags, choice) {
            None => self.noise(choice),
            Some(stream) => frame(DATA, flags, stream, payload),
        }
    }

    fn trailers(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let mut block = Vec::new();
        literal(0x40, b"grpc-status", b"0", &mut block);
        let flags = if self.is_lawful(choice) { END } else { 0 };
        match self.message_stream(flags, choice) {
            None => self.noise(choice),
            Some(stream) => frame(HEADERS, flags | END_HEADERS, stream, &block),
        }
    }

    fn reset(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let code = choice.below(16) as u32;
        match self.message_stream(END, choice) {
            None => self.noise(choice),
            Some(stream) => frame(RST_STREAM, 0, stream, &code.to_be_bytes()),
        }
    }

    fn credit(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let lawful = self.is_lawful(choice);
        let increment = match lawful {
            true => choice.pick(&[1, 500, 20_000]),
            false => choice.pick(&EDGES),
        };
        let own = (lawful && self.top > 0).then(|| self.stream(choice));
        let stream = if choice.chance(40) {
            0
        } else {
            own.unwrap_or(0)
        };
        frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
    }

    fn priority(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let stream = self.stream(choice);
        let lawful = self.is_lawful(choice);
        let on = if lawful { 0 } else { stream };
        let payload = [&on.to_be_bytes()[..], &[16, 0]].concat();
        let len = if lawful { 5 } else { choice.pick(&[4, 5, 6]) };
        frame(PRIORITY, 0, stream, &payload[..len])
    }

    /// A block over several frames, at times interrupted or without an end.
    fn continued(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let end = choice.pick(&[0, END]);
        let stream = match self.head_stream(end, choice) {
            None => return self.noise(choice),
            Some(stream) => stream,
        };
        let block = self.head_block(choice);
        let (first, rest) = block.split_at(choice.below(block.len()));
        let mut bytes = frame(HEADERS, end, stream, first);
        let lawful = self.is_lawful(choice);
        let between = if lawful {
            choice.below(8)
        } else {
            choice.pick(&[128, 129, 1])
        };
        for _ in 0..between {
            bytes.extend(frame(CONTINUATION, 0, stream, &[]));
        }
        if !lawful && choice.chance(50) {
            bytes.extend(frame(PING, 0, 0, &[1; 8]));
        }
        if lawful || choice.chance(50) {
            bytes.extend(frame(CONTINUATION, END_HEADERS, stream, rest));
        }
        bytes
    }

    fn oversize(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        if self.is_lawful(choice) {
            return self.data(0, &[0; 16_384], choice);
        }
        let len = choice.pick(&[16_384, 16_385, 20_000]);
        let kind = choice.pick(&[DATA, HEADERS, SETTINGS, 0xbe]);
        frame(kind, 0, self.stream(choice), &vec![0; len])
    }

    /// A frame of a kind that nobody knows, or of any.
    fn noise(&mut self, choice: &mut impl Choice) -> Vec<u8> {
        let payload = vec![choice.below(256) as u8; choice.below(40)];
        let flags = choice.below(256) as u8;
        let kind = if self.is_lawful(choice) {
            0xee
        } else {
            choice.below(12) as u8
        };
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

fn settings(lawful: bool, choice: &mut impl Choice) -> Vec<u8> {
    let mut payload = Vec::new();
    let entries = if lawful {
        choice.below(4)
    } else {
        choice.pick(&[1, 32, 33])
    };
    for _ in 0..entries {
        let id = 1 + choice.below(8) as u16;
        let value = match id {
            2 if lawful => 0,
            3 => choice.pick(&[100, 1, 0, u32::MAX]),
            4 if lawful => choice.pick(&[65_535, 0, 100, 5_000, 1 << 20]),
            5 if lawful => choice.pick(&[16_384, 20_000, 0xff_ffff]),
            _ => choice.pick(&EDGES),
        };
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

/// Pieces of a block that move the table or miss it (RFC 7541 §4, §5).
fn table_games(lawful: bool, choice: &mut impl Choice) -> Vec<u8> {
    let mut block = Vec::new();
    for _ in 0..1 + choice.below(4) {
        let kind = choice.below(if lawful { 2 } else { 7 });
        match kind {
            // Of the static table the fields behind the pseudo-header fields, without `te` and
            // `transfer-encoding`.
            0 => integer(15 + choice.below(30), 7, 0x80, &mut block),
            1 => literal(
                0x40,
                b"x-long",
                &vec![b'v'; choice.below(if lawful { 1_500 } else { 5_000 })],
                &mut block,
            ),
            2 => integer(choice.pick(&[0, 61, 62, 200, 1 << 30]), 7, 0x80, &mut block),
            3 => integer(
                choice.pick(&[0, 31, 4_096, 5_000, 1 << 31]),
                5,
                0x20,
                &mut block,
            ),
            4 => block.extend([0x00, 0x81, 0xff, 0x82, 0xff, 0xff]),
            5 => block.extend([0xff; 7]),
            _ => integer(choice.below(100), 7, 0x80, &mut block),
        }
    }
    block
}

/// Few bytes that stand for many (CVE-2016-6581, CVE-2026-49975).
fn bomb(lawful: bool, choice: &mut impl Choice) -> Vec<u8> {
    let mut block = Vec::new();
    let len = choice.pick(&[1, 300, 1_500]);
    literal(0x40, b"b", &vec![b'v'; len], &mut block);
    let times = match lawful {
        // Below the hard limit on bytes.
        true => choice.below(350),
        false => choice.pick(&[4, 120, 680, 700, 15_000]),
    };
    // The newest entry, which may be gone again, or `accept-encoding: gzip, deflate`.
    let index = if lawful { 0x90 } else { 0xbe };
    block.extend(core::iter::repeat_n(index, times));
    block
}
