//! The connection under attack with a lawful application on top, and what must hold of both.

use core::time::Duration;
use std::collections::BTreeMap;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{
    Config, Connection, ConnectionError, ErrorCode, Event, Limits, Role, StreamKey,
};

use super::Choice;
use super::ledger::Ledger;
use super::memory::{Asked, CALL_BYTES_MAX, held_bytes_max, measured};

/// Bytes that the application leaves queued before it waits.
const QUEUED_BYTES_MAX: usize = 100_000;

/// A stream as the application knows it.
struct Known {
    key: StreamKey,
    head_received: bool,
    end_received: bool,
    head_sent: bool,
    end_sent: bool,
    /// The most that was queued since the queue was last empty.
    queued_most: usize,
}

/// The connection, what was said to it and what it said.
pub(super) struct Victim {
    role: Role,
    limits: Limits,
    connection: Connection,
    ledger: Ledger,
    streams: BTreeMap<u32, Known>,
    /// The highest stream that either end has opened.
    top: u32,
    now: Duration,
    failed: Option<ConnectionError>,
    /// Bytes that the connection holds.
    held: i64,
    /// Bytes that calls of the application may have left in the output.
    written: usize,
}

fn config(role: Role, choice: &mut impl Choice) -> Config {
    let mut config = Config {
        role,
        ..Config::server()
    };
    let limits = &mut config.limits;
    limits.stream_window_bytes = choice.pick(&[1 << 20, 1_000, 65_535]);
    limits.connection_window_bytes = choice.pick(&[4 << 20, 65_535, 100_000]);
    limits.concurrent_streams_max = choice.pick(&[1_024, 1_024, 20, 1]);
    limits.output_bytes_high = choice.pick(&[512 << 10, 2_000]);
    limits.reset_budget = choice.pick(&[200, 10_000, 10_000, 3]);
    limits.queued_replies_max = choice.pick(&[1_000, 1_000, 10]);
    limits.header_block_bytes_max = choice.pick(&[1 << 20, 64 << 10, 2_000]);
    config
}

const fn field(name: &'static str, value: &'static str) -> Field<'static> {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    Field {
        name,
        value,
        indexing: Indexing::Index,
    }
}

impl Victim {
    pub(super) fn new(role: Role, deaf: bool, choice: &mut impl Choice) -> Victim {
        let config = config(role, choice);
        let (limits, mut held) = (config.limits.clone(), 0);
        let connection = measured(&mut held, || Connection::new(config));
        Victim {
            role,
            limits,
            connection,
            ledger: Ledger::new(role, deaf),
            streams: BTreeMap::new(),
            top: 0,
            now: Duration::ZERO,
            failed: None,
            held,
            written: 0,
        }
    }

    pub(super) fn failure(&self) -> Option<ConnectionError> {
        self.failed
    }

    /// The highest stream opened so far.
    pub(super) fn opened(&self) -> u32 {
        self.top
    }

    /// Bytes of DATA that it may still be sent.
    pub(super) fn window(&self) -> usize {
        usize::try_from(self.ledger.connection_window()).unwrap_or(0)
    }

    /// Takes bytes from the link; how many events they made.
    pub(super) fn receive(&mut self, mut input: &[u8]) -> usize {
        self.ledger.received(input);
        let events_max = input.len() + 2;
        for events in 0..=events_max {
            let Self {
                connection,
                held,
                now,
                ..
            } = self;
            match measured(held, || connection.receive(*now, &mut input)) {
                Ok(Some(event)) => self.on_event(event),
                Ok(None) => {
                    assert!(input.is_empty(), "input is left over");
                    return events;
                }
                Err(error) => {
                    self.fail(error);
                    return events;
                }
            }
        }
        panic!("more events than bytes");
    }

    /// Lets time pass: what is due by then happens, and nothing stays due.
    pub(super) fn wait(&mut self, pause: Duration) {
        self.now += pause;
        let events_max = self.streams.len() + 2;
        for _ in 0..=events_max {
            let Self {
                connection,
                held,
                now,
                ..
            } = self;
            match measured(held, || connection.advance(*now)) {
                Ok(Some(event)) => self.on_event(event),
                Ok(None) => {
                    let due = self.connection.deadline();
                    assert!(due.is_none_or(|due| due > self.now), "{due:?} stays due");
                    return;
                }
                Err(error) => return self.fail(error),
            }
        }
        panic!("more events than streams");
    }

    /// The connection has room for what more input may make it write.
    pub(super) fn wants_input(&self) -> bool {
        self.connection.wants_input()
    }

    /// After a connection error GOAWAY is the last frame, and no input does anything more.
    fn fail(&mut self, error: ConnectionError) {
        assert_eq!(self.failed, None, "a connection fails once");
        self.failed = Some(error);
        let again = self.connection.receive(self.now, &mut &[0; 64][..]);
        assert_eq!(again, Ok(None), "input is taken after the end");
        self.transmit();
        assert_eq!(
            self.ledger.went_away,
            Some(error.code.0),
            "the last frame is not GOAWAY"
        );
    }

    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Headers {
                stream, end_stream, ..
            } => self.on_head(stream, end_stream),
            Event::Data {
                stream, end_stream, ..
            } => self.known(stream).end_received = end_stream,
            Event::Trailers { stream, .. } => self.known(stream).end_received = true,
            Event::Reset { stream, .. } => {
                let known = self.streams.remove(&stream.id);
                assert!(
                    known.is_some_and(|known| known.key == stream),
                    "reset after the close"
                );
            }
            Event::GoAway { .. } | Event::SettingsChanged | Event::PingAck(_) => {}
        }
        self.forget_closed();
    }

    fn on_head(&mut self, key: StreamKey, end_stream: bool) {
        if self.role == Role::Server {
            assert!(
                key.id % 2 == 1 && key.id > self.top,
                "stream {} is not new",
                key.id
            );
            let streams_max = self.limits.concurrent_streams_max as usize;
            assert!(
                self.streams.len() < streams_max,
                "more streams than allowed"
            );
            self.insert(key, false, false);
        }
        let known = self
            .streams
            .get_mut(&key.id)
            .expect("a head on a known stream");
        assert!(
            known.key == key && !known.head_received,
            "a second head on {}",
            key.id
        );
        known.head_received = true;
        known.end_received = end_stream;
    }

    /// The stream of an event that follows its head.
    fn known(&mut self, key: StreamKey) -> &mut Known {
        let known = self
            .streams
            .get_mut(&key.id)
            .expect("an event on an open stream");
        assert_eq!(known.key, key);
        assert!(
            known.head_received && !known.end_received,
            "an event out of order on {}",
            key.id
        );
        known
    }

    fn insert(&mut self, key: StreamKey, head_sent: bool, end_sent: bool) {
        self.top = key.id;
        let (head_received, end_received) = (false, false);
        let known = Known {
            key,
            head_received,
            end_received,
            head_sent,
            end_sent,
            queued_most: 0,
        };
        self.streams.insert(key.id, known);
    }

    /// Forgets the streams that have ended, each with a reason.
    fn forget_closed(&mut self) {
        let Self {
            role,
            streams,
            connection,
            ..
        } = self;
        streams.retain(|id, known| {
            let early = *role == Role::Server && known.end_sent;
            let justified = early || (known.end_sent && known.end_received);
            let open = connection.is_open(known.key);
            assert!(open || justified, "stream {id} vanished");
            open
        });
    }

    /// One call of the application; its name.
    pub(super) fn act(&mut self, choice: &mut impl Choice) -> &'static str {
        if self.written > QUEUED_BYTES_MAX {
            return "wait for the reader";
        }
        self.written += CALL_BYTES_MAX;
        let name = match choice.below(12) {
            0 if self.role == Role::Client => self.open(choice),
            1 => self.on_connection(choice),
            _ => self.on_stream(choice),
        };
        self.forget_closed();
        name
    }

    fn open(&mut self, choice: &mut impl Choice) -> &'static str {
        if !self.connection.can_open() {
            return "cannot open";
        }
        let end = choice.chance(30);
        let fields = [
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":path", "/a/b"),
        ];
        let Self {
            connection, held, ..
        } = self;
        let key = measured(held, || connection.open(fields.into_iter(), None, end));
        self.insert(key.expect("it said that it can"), true, end);
        "open"
    }

    fn on_connection(&mut self, choice: &mut impl Choice) -> &'static str {
        let Self {
            connection, held, ..
        } = self;
        measured(held, || match choice.below(30) {
            0 => {
                connection.drain();
                "drain"
            }
            1 => {
                connection.go_away(ErrorCode::NO_ERROR);
                "go away"
            }
            _ => {
                connection.ping(7);
                "ping"
            }
        })
    }

    fn on_stream(&mut self, choice: &mut impl Choice) -> &'static str {
        if self.streams.is_empty() {
            return "nothing";
        }
        let at = choice.below(self.streams.len());
        let Some(known) = self.streams.values_mut().nth(at) else {
            return "nothing";
        };
        let (key, connection, held) = (known.key, &mut self.connection, &mut self.held);
        let end = choice.chance(20);
        match choice.below(8) {
            0 if choice.chance(30) => {
                measured(held, || connection.reset(key, ErrorCode::CANCEL));
                self.streams.remove(&key.id);
                "reset"
            }
            1..4 => {
                let len = choice.pick(&[1 << 20, 1, 700]);
                measured(held, || connection.release(key, len));
                "release"
            }
            _ if known.end_sent => "nothing",
            _ if !known.head_sent => {
                known.head_sent = true;
                known.end_sent = end;
                let head = [field(":status", "200"), field("content-type", "grpc")];
                measured(held, || {
                    connection.send_headers(key, head.into_iter(), None, end)
                });
                "head"
            }
            4 => {
                known.end_sent = true;
                let trailers = [field("grpc-status", "0")];
                measured(held, || {
                    connection.send_headers(key, trailers.into_iter(), None, true)
                });
                "trailers"
            }
            _ => {
                let len = choice.pick(&[0, 5, 900, 30_000]);
                if connection.queued(key) + len > QUEUED_BYTES_MAX {
                    return "wait for the window";
                }
                known.end_sent = end;
                self.written += len;
                measured(held, || connection.send_data(key, &vec![1; len], end));
                "send"
            }
        }
    }

    /// Empties the output; how many bytes it was.
    pub(super) fn transmit(&mut self) -> usize {
        let Self {
            connection, held, ..
        } = self;
        let mut out = Vec::new();
        measured(held, || connection.transmit(&mut out));
        self.ledger.sent(&out);
        let sent = out.len();
        measured(&mut self.held, || drop(out));
        while let Some(key) = self.connection.next_drained() {
            assert!(
                self.connection.is_open(key),
                "a stream drained that is gone"
            );
        }
        self.written = 0;
        self.forget_closed();
        sent
    }

    pub(super) fn check(&mut self) {
        let streams = self.streams.len();
        assert_eq!(self.connection.open_streams(), streams, "streams leak");
        for known in self.streams.values_mut() {
            known.queued_most = match self.connection.queued(known.key) {
                0 => 0,
                queued => queued.max(known.queued_most),
            };
        }
        let asked = Asked {
            streams,
            queued: self.streams.values().map(|known| known.queued_most).sum(),
            written: self.written,
        };
        let held_max = held_bytes_max(&self.limits, asked);
        assert!(
            self.held <= held_max,
            "{} bytes are held, {held_max} may be",
            self.held
        );
        if self.failed.is_none() {
            let window = self.ledger.connection_window();
            let window_max = i64::from(self.limits.connection_window_bytes);
            assert!(window <= window_max, "the peer may send {window} bytes");
        }
    }

    /// Ends every stream and lets the output run empty.
    pub(super) fn end_all(&mut self) {
        if self.failed.is_some() {
            return;
        }
        for (_, known) in core::mem::take(&mut self.streams) {
            let Self {
                connection, held, ..
            } = self;
            measured(held, || connection.reset(known.key, ErrorCode::CANCEL));
        }
        self.transmit();
        self.transmit();
        assert!(!self.connection.has_output(), "output is left at rest");
        if self.ledger.is_between_blocks() {
            let window = self.ledger.connection_window();
            let size = i64::from(self.limits.connection_window_bytes);
            // Credit is given in halves.
            assert!(
                size - window <= size / 2,
                "{window} of the window of {size} are left"
            );
        }
    }

    /// The stream that a lawful client would open next, if this connection must take it.
    pub(super) fn next_lawful_stream(&self) -> Option<u32> {
        let survived = self.failed.is_none() && !self.connection.is_going_away();
        let ready = self.ledger.is_between_blocks() && self.ledger.settings_seen;
        let next = (self.ledger.headers_top | 1).checked_add(2)?;
        (survived && ready && next < 1 << 31).then_some(next)
    }

    /// A lawful request after all that came before.
    pub(super) fn serve(&mut self, stream: u32, request: &[u8]) {
        self.receive(request);
        assert!(
            self.streams.contains_key(&stream),
            "a lawful request is not served"
        );
        self.end_all();
    }
}
