//! One end of the simulated connection: random calls, and a record of what it is told.

use core::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config, Connection, ErrorCode, Event, Role, StreamKey};

use crate::checker::{self, Stream, Streams, body_byte};
use crate::random::Random;

const REQUEST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

/// An end and what it knows.
pub(crate) struct Side {
    pub(crate) role: Role,
    pub(crate) connection: Connection,
    pub(crate) streams: Streams,
    head: BlockCache,
    trailers: BlockCache,
    /// Count one byte wrong, for the canary.
    corrupt: bool,
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
    limits.reset_budget = u32::MAX;
    limits.stream_window_bytes = [200, 1_000, 5_000, 65_535, 1 << 20][random.below(5)];
    limits.connection_window_bytes = [65_535, 100_000, 4 << 20][random.below(3)];
    limits.concurrent_streams_max = [1, 5, 1_000][random.below(3)];
    limits.output_bytes_high = [2_000, 512 << 10][random.below(2)];
    limits.frame_bytes_max = [16_384, 20_000][random.below(2)];
    config
}

impl Side {
    pub(crate) fn new(config: Config, corrupt: bool) -> Side {
        Side {
            role: config.role,
            connection: Connection::new(config),
            streams: Streams::new(),
            head: BlockCache::default(),
            trailers: BlockCache::default(),
            corrupt,
        }
    }

    /// One random call; its name.
    pub(crate) fn act(&mut self, random: &mut Random) -> String {
        if self.role == Role::Client && random.chance(25) {
            return self.open(random);
        }
        let open: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, s)| !s.closed)
            .map(|(id, _)| *id)
            .collect();
        if open.is_empty() {
            return "nothing".into();
        }
        let id = open[random.below(open.len())];
        match random.below(25) {
            0 if random.chance(50) => self.reset(id),
            1..5 => self.release(id, random.below(70_000)),
            5..7 => self.end(id, random),
            7 => self.send_trailers(id),
            8 => {
                self.connection.ping(random.next());
                "ping".into()
            }
            _ if self.role == Role::Server && random.chance(40) => self.send_head(id, random),
            _ => {
                let most = [10, 1_000, 20_000, 100_000][random.below(4)];
                let len = random.below(most);
                self.send(id, len, random.chance(10))
            }
        }
    }

    fn open(&mut self, random: &mut Random) -> String {
        if !self.connection.can_open() {
            return "cannot open".into();
        }
        let end = random.chance(30);
        let id = random.below(6).to_string();
        let indexing = [Indexing::Index, Indexing::Literal][random.below(2)];
        let fields = REQUEST.map(|pair| field(pair, Indexing::Index));
        let more = random.chance(30).then(|| field(("x-id", &id), indexing));
        let fields = fields.into_iter().chain(more);
        let key = self
            .connection
            .open(fields, None, end)
            .expect("it said that it can");
        let stream = Stream {
            head_sent: true,
            end_sent: end,
            ..Stream::new(key)
        };
        self.streams.insert(key.id, stream);
        format!("open {} end {end}", key.id)
    }

    fn send_head(&mut self, id: u32, random: &mut Random) -> String {
        let stream = self.streams.get_mut(&id).expect("it is open");
        if stream.head_sent {
            return "head was sent".into();
        }
        let end = random.chance(10);
        stream.head_sent = true;
        stream.end_sent = end;
        let fields = [(":status", "200"), ("content-type", "application/grpc")];
        let fields = fields.into_iter().map(|pair| field(pair, Indexing::Index));
        self.connection
            .send_headers(stream.key, fields, Some(&mut self.head), end);
        format!("head {id} end {end}")
    }

    fn send(&mut self, id: u32, len: usize, end: bool) -> String {
        let stream = self.streams.get_mut(&id).expect("it is open");
        if !stream.may_send() || self.connection.queued(stream.key) > 300_000 {
            return "cannot send".into();
        }
        let from = stream.sent;
        let body = (from..from + len as u64).map(|at| body_byte(self.role, id, at));
        stream.sent += len as u64;
        stream.end_sent = end;
        // Odd lengths ask for a place first, as unary replies do.
        if len % 2 == 1
            && let Some(out) = self.connection.data_in_place(stream.key, len, end)
        {
            out.extend(body);
            return format!("in place {id} {len} end {end}");
        }
        let body: Vec<u8> = body.collect();
        self.connection.send_data(stream.key, &body, end);
        format!("send {id} {len} end {end}")
    }

    fn send_trailers(&mut self, id: u32) -> String {
        let stream = self.streams.get_mut(&id).expect("it is open");
        if !stream.may_send() {
            return "cannot send trailers".into();
        }
        stream.end_sent = true;
        let fields = [field(("grpc-status", "0"), Indexing::Index)].into_iter();
        self.connection
            .send_headers(stream.key, fields, Some(&mut self.trailers), true);
        format!("trailers {id}")
    }

    /// Ends our direction of a stream in one of the lawful ways.
    pub(crate) fn end(&mut self, id: u32, random: &mut Random) -> String {
        if !self.streams[&id].head_sent {
            return self.send_head(id, random);
        }
        match random.chance(50) {
            true => self.send(id, 0, true),
            false => self.send_trailers(id),
        }
    }

    fn reset(&mut self, id: u32) -> String {
        let stream = self.streams.get_mut(&id).expect("it is open");
        stream.reset = true;
        self.connection.reset(stream.key, ErrorCode::CANCEL);
        format!("reset {id}")
    }

    pub(crate) fn release(&mut self, id: u32, bytes: usize) -> String {
        let stream = self.streams.get_mut(&id).expect("it is open");
        let bytes = bytes.min(stream.unreleased);
        stream.unreleased -= bytes;
        self.connection.release(stream.key, bytes);
        format!("release {id} {bytes}")
    }

    /// Takes bytes from the link.
    pub(crate) fn receive(&mut self, mut input: &[u8], trace: &mut impl FnMut(String)) {
        while let Some(event) = self
            .connection
            .receive(Duration::ZERO, &mut input)
            .unwrap_or_else(|error| panic!("{:?}: a correct peer caused {error}", self.role))
        {
            // Borrowed apart, because going away resets streams of the same connection.
            let going = match event {
                Event::GoAway { last, .. } => Some(last),
                _ => None,
            };
            trace(self.note(event));
            if let Some(last) = going {
                self.give_up_above(last);
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

    fn note(&mut self, event: Event<'_>) -> String {
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
                format!("headers {} end {end_stream}", key.id)
            }
            Event::Data {
                stream: key,
                bytes,
                end_stream,
            } => self.note_data(key, bytes, end_stream),
            Event::Trailers { stream: key, .. } => {
                let stream = self.stream(key);
                assert!(stream.head_got, "trailers before the head");
                stream.end_got = true;
                format!("trailers {}", key.id)
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
                format!("reset {} {code}", key.id)
            }
            Event::GoAway { last, code } => format!("go away {last} {code}"),
            Event::SettingsChanged => "settings".into(),
            Event::PingAck(opaque) => format!("pong {opaque}"),
        }
    }

    fn note_data(&mut self, key: StreamKey, bytes: &[u8], end_stream: bool) -> String {
        let (role, corrupt) = (self.role, self.corrupt);
        let stream = self.stream(key);
        assert!(stream.head_got, "a body before its head");
        let from = if role == Role::Client {
            Role::Server
        } else {
            Role::Client
        };
        for (at, &byte) in (stream.got..).zip(bytes) {
            let wrong = u8::from(corrupt && at == 7);
            assert_eq!(
                byte ^ wrong,
                body_byte(from, key.id, at),
                "stream {} at {at}",
                key.id
            );
        }
        stream.got += bytes.len() as u64;
        stream.unreleased += bytes.len();
        stream.end_got = end_stream;
        format!("data {} {} end {end_stream}", key.id, bytes.len())
    }

    /// The peer will not process these streams.
    fn give_up_above(&mut self, last: u32) {
        if self.role == Role::Server {
            return;
        }
        for (id, stream) in self.streams.range_mut(last.saturating_add(1)..) {
            if self.connection.is_open(stream.key) {
                assert!(
                    !stream.head_got,
                    "stream {id} was answered though it is ignored"
                );
                stream.reset = true;
                self.connection.reset(stream.key, ErrorCode::CANCEL);
            }
        }
    }

    /// The streams that drained are told of while they are open only.
    pub(crate) fn take_drained(&mut self) {
        while let Some(key) = self.connection.next_drained() {
            assert!(self.connection.is_open(key));
            assert_eq!(key, self.streams[&key.id].key);
        }
    }

    pub(crate) fn check(&mut self) {
        checker::closes_are_justified(self.role, &self.connection, &mut self.streams);
    }
}
