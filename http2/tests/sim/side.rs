//! One end of the simulated connection: random calls, and a record of what it is told.

use core::fmt::Arguments;
use core::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config, Connection, ErrorCode, Event, Limits, Role, StreamKey};

use crate::body;
use crate::checker::{self, Stream, Streams};
use crate::duel::ledger::Ledger;
use crate::duel::memory::{Asked, CALL_BYTES_MAX, held_bytes_max, measured};
use crate::random::Random;
use crate::reader::Reader;
use crate::runner::Flaw;

/// Bytes that one stream leaves queued before its application waits.
const QUEUED_BYTES_MAX: usize = 300_000;

/// Bytes that the application writes before it waits for a transmit.
const WRITTEN_BYTES_MAX: usize = 1 << 20;

const REQUEST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

/// Relative frequency of each call that an application makes, and the size of what it sends.
#[derive(Clone, Copy)]
struct Habits {
    open: usize,
    release: usize,
    end: usize,
    reset: usize,
    ping: usize,
    send: usize,
    send_bytes_max: usize,
}

impl Habits {
    fn new(random: &mut Random) -> Habits {
        let mut one_of = |from: [usize; 4]| from[random.below(4)];
        Habits {
            open: one_of([2, 5, 10, 20]),
            release: one_of([1, 4, 8, 20]),
            end: one_of([1, 2, 4, 10]),
            reset: one_of([0, 0, 1, 3]),
            ping: one_of([0, 1, 1, 5]),
            send: one_of([5, 10, 15, 30]),
            send_bytes_max: one_of([10, 1_000, 10_000, 50_000]),
        }
    }
}

/// An end and what it knows.
pub(crate) struct Side {
    pub(crate) role: Role,
    pub(crate) connection: Connection,
    pub(crate) streams: Streams,
    pub(crate) ledger: Ledger,
    habits: Habits,
    pub(crate) reader: Reader,
    limits: Limits,
    head: BlockCache,
    trailers: BlockCache,
    flaw: Option<Flaw>,
    /// Bytes that the connection holds, and that calls have written since the last transmit.
    pub(crate) held: i64,
    pub(crate) written: usize,
}

fn field<'f>((name, value): (&'f str, &'f str), indexing: Indexing) -> Field<'f> {
    Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing,
    }
}

/// A configuration with windows and limits of any size.
pub(crate) fn config(role: Role, random: &mut Random) -> Config {
    let mut config = Config {
        role,
        ..Config::server()
    };
    let limits = &mut config.limits;
    limits.reset_budget = 2_000;
    limits.stream_window_bytes = [200, 1_000, 5_000, 65_535, 1 << 20][random.below(5)];
    let initial = limits.stream_window_bytes;
    limits.stream_window_bytes_max = [initial, 4 * initial, 4 << 20][random.below(3)];
    limits.received_bytes_max = [1, 1_000, 100_000, 400_000, 16 << 20][random.below(5)];
    limits.connection_window_bytes = [65_535, 100_000, 4 << 20][random.below(3)];
    limits.concurrent_streams_max = [1, 5, 1_000][random.below(3)];
    limits.output_bytes_high = [2_000, 512 << 10][random.below(2)];
    limits.frame_bytes_max = [16_384, 20_000][random.below(2)];
    // Links stall for as long as the seed says: who is patient with them must lose nothing.
    limits.preface_time_max = Duration::MAX;
    limits.first_settings_time_max = Duration::MAX;
    limits.settings_ack_time_max = Duration::MAX;
    limits.header_block_time_max = Duration::MAX;
    limits.write_progress_time_max = Duration::MAX;
    config
}

impl Side {
    pub(crate) fn new(config: Config, flaw: Option<Flaw>, random: &mut Random) -> Side {
        let (role, limits, mut held) = (config.role, config.limits.clone(), 0);
        Side {
            role,
            connection: measured(&mut held, || Connection::new(config)),
            streams: Streams::new(),
            ledger: Ledger::new(role, false),
            habits: Habits::new(random),
            reader: Reader::new(random),
            limits,
            head: BlockCache::default(),
            trailers: BlockCache::default(),
            flaw,
            held,
            written: 0,
        }
    }

    /// One random call; its name.
    pub(crate) fn act(&mut self, random: &mut Random, note: &mut impl FnMut(Arguments<'_>)) {
        if self.written > WRITTEN_BYTES_MAX {
            return note(format_args!("wait for the link"));
        }
        let Habits {
            open,
            release,
            end,
            reset,
            ping,
            send,
            ..
        } = self.habits;
        let shares = [open, release, end, reset, ping, send];
        let mut at = random.below(shares.iter().sum());
        let kind = shares
            .iter()
            .position(|share| match at.checked_sub(*share) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            });
        match kind {
            Some(0) if self.role == Role::Client => return self.open(random, note),
            Some(4) => return self.ping(random.next(), note),
            _ => {}
        }
        let Some(id) = self.some_stream(random) else {
            return note(format_args!("nothing"));
        };
        self.change_pressure(random);
        match kind {
            Some(1) if self.read_messages(id, note) => {}
            Some(1) => self.release(id, random.below(70_000), note),
            Some(2) => self.end(id, random, note),
            Some(3) => self.reset(id, note),
            _ if !self.streams[&id].head_sent => self.send_head(id, random, note),
            _ => {
                let len = random.below(self.habits.send_bytes_max);
                self.send(id, len, random.chance(10), note);
            }
        }
    }

    /// One of the streams that this end has not seen closing.
    fn some_stream(&self, random: &mut Random) -> Option<u32> {
        let open = || self.streams.iter().filter(|(_, stream)| !stream.closed);
        let count = open().count();
        let at = random.below(count.max(1));
        open().nth(at).map(|(id, _)| *id)
    }

    fn ping(&mut self, opaque: u64, note: &mut impl FnMut(Arguments<'_>)) {
        self.written += CALL_BYTES_MAX;
        measured(&mut self.held, || self.connection.ping(opaque));
        note(format_args!("ping"));
    }

    fn open(&mut self, random: &mut Random, note: &mut impl FnMut(Arguments<'_>)) {
        if !self.connection.can_open() {
            return note(format_args!("cannot open"));
        }
        let end = random.chance(30);
        let id = random.below(6).to_string();
        let indexing = [Indexing::Index, Indexing::Literal][random.below(2)];
        let fields = REQUEST.map(|pair| field(pair, Indexing::Index));
        let more = random.chance(30).then(|| field(("x-id", &id), indexing));
        let fields = fields.into_iter().chain(more);
        let Self {
            connection, held, ..
        } = self;
        let key = measured(held, || connection.open(fields, None, end));
        let key = key.expect("it said that it can");
        self.written += CALL_BYTES_MAX;
        let stream = Stream {
            head_sent: true,
            end_sent: end,
            ..Stream::new(key)
        };
        self.streams.insert(key.id, stream);
        note(format_args!("open {} end {end}", key.id));
    }

    fn send_head(&mut self, id: u32, random: &mut Random, note: &mut impl FnMut(Arguments<'_>)) {
        let Self {
            connection,
            held,
            head,
            streams,
            ..
        } = self;
        let stream = streams.get_mut(&id).expect("it is open");
        let end = random.chance(10);
        stream.head_sent = true;
        stream.end_sent = end;
        self.written += CALL_BYTES_MAX;
        let fields = [(":status", "200"), ("content-type", "application/grpc")];
        let fields = fields.into_iter().map(|pair| field(pair, Indexing::Index));
        measured(held, || {
            connection.send_headers(stream.key, fields, Some(head), end)
        });
        note(format_args!("head {id} end {end}"));
    }

    fn send(&mut self, id: u32, len: usize, end: bool, note: &mut impl FnMut(Arguments<'_>)) {
        let Self {
            connection,
            held,
            streams,
            role,
            ..
        } = self;
        let stream = streams.get_mut(&id).expect("it is open");
        if !stream.may_send() || connection.queued(stream.key) > QUEUED_BYTES_MAX {
            return note(format_args!("cannot send"));
        }
        let range = stream.sent..stream.sent + len as u64;
        stream.sent = range.end;
        stream.end_sent = end;
        self.written += CALL_BYTES_MAX + len;
        // Odd lengths ask for a place first, as unary replies do.
        let in_place = len % 2 == 1
            && measured(held, || {
                let out = connection.data_in_place(stream.key, len, end);
                out.map(|out| body::write(*role, id, range.clone(), out))
                    .is_some()
            });
        if !in_place {
            let mut bytes = Vec::with_capacity(len);
            body::write(*role, id, range, &mut bytes);
            measured(held, || connection.send_data(stream.key, &bytes, end));
        }
        note(format_args!(
            "send {id} {len} end {end} in place {in_place}"
        ));
    }

    fn send_trailers(&mut self, id: u32, note: &mut impl FnMut(Arguments<'_>)) {
        let Self {
            connection,
            held,
            trailers,
            streams,
            ..
        } = self;
        let stream = streams.get_mut(&id).expect("it is open");
        if !stream.may_send() {
            return note(format_args!("cannot send trailers"));
        }
        stream.end_sent = true;
        self.written += CALL_BYTES_MAX;
        let fields = [field(("grpc-status", "0"), Indexing::Index)].into_iter();
        measured(held, || {
            connection.send_headers(stream.key, fields, Some(trailers), true)
        });
        note(format_args!("trailers {id}"));
    }

    /// Ends our direction of a stream in one of the lawful ways.
    pub(crate) fn end(
        &mut self,
        id: u32,
        random: &mut Random,
        note: &mut impl FnMut(Arguments<'_>),
    ) {
        if !self.streams[&id].head_sent {
            return self.send_head(id, random, note);
        }
        match random.chance(50) {
            true => self.send(id, 0, true, note),
            false => self.send_trailers(id, note),
        }
    }

    fn reset(&mut self, id: u32, note: &mut impl FnMut(Arguments<'_>)) {
        let Self {
            connection,
            held,
            streams,
            ..
        } = self;
        let stream = streams.get_mut(&id).expect("it is open");
        stream.reset = self.flaw != Some(Flaw::LostStream);
        self.written += CALL_BYTES_MAX;
        measured(held, || connection.reset(stream.key, ErrorCode::CANCEL));
        note(format_args!("reset {id}"));
    }

    pub(crate) fn release(&mut self, id: u32, bytes: usize, note: &mut impl FnMut(Arguments<'_>)) {
        let Self {
            connection,
            held,
            streams,
            ..
        } = self;
        let stream = streams.get_mut(&id).expect("it is open");
        let bytes = bytes.min(stream.unreleased);
        if bytes == 0 {
            return;
        }
        stream.unreleased -= bytes;
        self.written += CALL_BYTES_MAX;
        measured(held, || connection.release(stream.key, bytes));
        note(format_args!("release {id} {bytes}"));
    }

    /// Starts the graceful end of the connection.
    pub(crate) fn drain(&mut self) {
        measured(&mut self.held, || self.connection.drain());
    }

    /// Empties the output into `out`, which is empty.
    pub(crate) fn transmit(&mut self, out: &mut Vec<u8>) {
        let Self {
            connection, held, ..
        } = self;
        let mut buffer = Vec::new();
        measured(held, || connection.transmit(&mut buffer));
        self.ledger.sent(&buffer);
        out.extend_from_slice(&buffer);
        measured(held, || drop(buffer));
        self.written = 0;
        self.take_drained();
    }

    /// Lets time pass, which concerns nobody here: no bound on time is set.
    pub(crate) fn wait(&mut self, now: Duration) {
        let due = measured(&mut self.held, || self.connection.advance(now));
        assert_eq!(due, Ok(None), "{:?}: something was due", self.role);
    }

    /// Takes bytes from the link.
    pub(crate) fn receive(
        &mut self,
        now: Duration,
        mut input: &[u8],
        note: &mut impl FnMut(Arguments<'_>),
    ) {
        self.ledger.received(input);
        loop {
            let Self {
                connection,
                held,
                role,
                ..
            } = self;
            let event = measured(held, || connection.receive(now, &mut input))
                .unwrap_or_else(|error| panic!("{role:?}: a correct peer caused {error}"));
            // Borrowed apart, because going away resets streams of the same connection.
            match event {
                Some(Event::GoAway { last, code }) => {
                    note(format_args!("go away {last} {code}"));
                    self.give_up_above(last);
                }
                Some(event) => self.on_event(event, note),
                None => return,
            }
        }
    }

    fn stream(&mut self, key: StreamKey) -> &mut Stream {
        let stream = self
            .streams
            .get_mut(&key.id)
            .expect("an event of a known stream");
        assert_eq!(stream.key, key);
        stream.event();
        stream
    }

    fn on_event(&mut self, event: Event<'_>, note: &mut impl FnMut(Arguments<'_>)) {
        match event {
            Event::Headers {
                stream: key,
                end_stream,
                ..
            } => {
                if self.role == Role::Server {
                    let before = self.streams.insert(key.id, Stream::new(key));
                    assert!(before.is_none(), "stream {} was opened twice", key.id);
                }
                let stream = self.stream(key);
                assert!(!core::mem::replace(&mut stream.head_got, true), "two heads");
                stream.end_got = end_stream;
                note(format_args!("headers {} end {end_stream}", key.id));
            }
            Event::Data {
                stream: key,
                bytes,
                end_stream,
            } => {
                self.on_data(key, bytes, end_stream);
                self.read_messages(key.id, note);
                note(format_args!(
                    "data {} {} end {end_stream}",
                    key.id,
                    bytes.len()
                ));
            }
            Event::Trailers { stream: key, .. } => {
                let stream = self.stream(key);
                assert!(stream.head_got, "trailers before the head");
                stream.end_got = true;
                note(format_args!("trailers {}", key.id));
            }
            Event::Reset {
                stream: key,
                code,
                local,
            } => {
                checker::reset_is_fair(code, local);
                let stream = self.streams.get_mut(&key.id).expect("a known stream");
                assert!(!stream.closed && !stream.reset, "reset after the close");
                stream.reset = true;
                note(format_args!("reset {} {code}", key.id));
            }
            other => note(format_args!("{other:?}")),
        }
    }

    fn on_data(&mut self, key: StreamKey, bytes: &[u8], end_stream: bool) {
        let from = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let corrupt = self.flaw == Some(Flaw::WrongByte);
        let stream = self.stream(key);
        assert!(stream.head_got, "a body before its head");
        let at = stream.got + u64::from(corrupt && stream.got > 7);
        let right = body::is_right(from, key.id, at, bytes);
        assert!(right, "stream {}: a wrong byte from {at} on", key.id);
        stream.got += bytes.len() as u64;
        stream.unreleased += bytes.len();
        stream.end_got = end_stream;
    }

    /// The peer will not process these streams.
    fn give_up_above(&mut self, last: u32) {
        if self.role == Role::Server {
            return;
        }
        let Self {
            connection,
            held,
            streams,
            ..
        } = self;
        for (id, stream) in streams.range_mut(last.saturating_add(1)..) {
            if connection.is_open(stream.key) {
                assert!(
                    !stream.head_got,
                    "stream {id} was answered though it is ignored"
                );
                stream.reset = true;
                self.written += CALL_BYTES_MAX;
                measured(held, || connection.reset(stream.key, ErrorCode::CANCEL));
            }
        }
    }

    /// The streams that drained are told of while they are open only.
    fn take_drained(&mut self) {
        let Self {
            connection,
            held,
            streams,
            ..
        } = self;
        while let Some(key) = measured(held, || connection.next_drained()) {
            assert!(connection.is_open(key));
            assert_eq!(key, streams[&key.id].key);
        }
    }

    pub(crate) fn check(&mut self) {
        checker::closes_are_justified(self.role, &self.connection, &mut self.streams);
        let open = || self.streams.values().filter(|stream| !stream.closed);
        let asked = Asked {
            streams: open().count(),
            queued: open().map(|stream| stream.queued_most).sum(),
            written: self.written,
        };
        let held_max = held_bytes_max(&self.limits, asked);
        assert!(
            self.held <= held_max,
            "{} bytes are held, {held_max} may be",
            self.held
        );
        let window = self.ledger.connection_window();
        let window_max = i64::from(self.limits.connection_window_bytes);
        assert!(window <= window_max, "the peer may send {window} bytes");
    }
}
