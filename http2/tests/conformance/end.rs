//! One end under test, what it reports and sends in words, and the checks on both.

use core::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Block, Config, Connection, ConnectionError, Event, Limit, Limits, StreamKey};

use crate::wire;

/// A connection and the clock that it is given.
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) now: Duration,
}

impl End {
    /// Nothing is exchanged yet; our own first frames are taken off the output.
    pub(crate) fn fresh(config: Config) -> End {
        let mut end = End {
            connection: Connection::new(config),
            now: Duration::from_secs(100),
        };
        end.output();
        end
    }

    /// Both sides have sent and acknowledged their SETTINGS.
    pub(crate) fn ready(config: Config) -> End {
        let preface = if config.role == corespun_http2::Role::Server {
            wire::PREFACE
        } else {
            b""
        };
        let mut end = End::fresh(config);
        let hello = [preface, &wire::settings(&[]), &wire::settings_ack()].concat();
        assert_eq!(end.feed(&hello), ["settings"]);
        assert_eq!(end.sent(), ["SETTINGS ack"]);
        end
    }

    pub(crate) fn server() -> End {
        End::ready(Config::server())
    }

    /// A client that has opened a stream for each of `ends`: whether its request is complete. It
    /// has the limits of a server, which are within reach.
    pub(crate) fn client(ends: &[bool]) -> End {
        let mut config = Config::client();
        config.limits = Config::server().limits;
        let mut end = End::ready(config);
        for &ended in ends {
            end.open(ended);
        }
        end.output();
        end
    }

    pub(crate) fn open(&mut self, end_stream: bool) -> StreamKey {
        self.connection
            .open(fields(&wire::REQUEST), None, end_stream)
            .expect("a stream")
    }

    /// The key of the stream that was opened `nth`, if nothing was closed since.
    pub(crate) fn key(&self, id: u32) -> StreamKey {
        let mut slots = 0..64;
        let key = slots.find_map(|slot| {
            let key = StreamKey { slot, id };
            self.connection.is_open(key).then_some(key)
        });
        key.expect("an open stream")
    }

    /// The key of an open stream beyond the first 64.
    pub(crate) fn connection_key(&self, id: u32) -> StreamKey {
        let mut slots = 0..self.connection.open_streams() as u32 + 1;
        let found = slots.find(|&slot| self.connection.is_open(StreamKey { slot, id }));
        let slot = found.expect("an open stream");
        StreamKey { slot, id }
    }

    /// A server with limits of its own, its handshake over.
    pub(crate) fn server_with(set: impl Fn(&mut Limits)) -> End {
        let mut config = Config::server();
        set(&mut config.limits);
        End::ready(config)
    }

    /// Lets `time` pass; what is reported for it, and the error that ended it.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        let mut log = Log::default();
        for _ in 0..10_000 {
            match self.connection.advance(self.now) {
                Ok(Some(event)) => log.note(&event),
                Ok(None) => {
                    let due = self.connection.deadline();
                    assert!(due.is_none_or(|due| due > self.now), "the past is over");
                    return log.lines;
                }
                Err(error) => {
                    log.fail(&error);
                    return log.lines;
                }
            }
        }
        panic!("time does not pass");
    }

    pub(crate) fn hits(&self, limit: Limit) -> u64 {
        self.connection.limit_hits().of(limit)
    }

    /// A request on stream `id` is answered with `body` and the end.
    pub(crate) fn answer(&mut self, id: u32, body: &[u8]) {
        let key = self.key(id);
        let head = fields(&[(":status", "200")]);
        self.connection.send_headers(key, head, None, false);
        self.connection.send_data(key, body, true);
    }

    /// Feeds `input`, and returns the events with the error that ended the connection, if any.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Vec<String> {
        let mut log = Log::default();
        self.feed_into(input, &mut log);
        log.lines
    }

    pub(crate) fn feed_into(&mut self, mut input: &[u8], log: &mut Log) {
        let bound = input.len() + 2;
        for _ in 0..bound {
            match self.connection.receive(self.now, &mut input) {
                Ok(Some(event)) => log.note(&event),
                Ok(None) => {
                    assert!(input.is_empty(), "input is left");
                    return;
                }
                Err(error) => {
                    log.fail(&error);
                    return;
                }
            }
        }
        panic!("more events than bytes");
    }

    /// The raw output of one transmit.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.connection.transmit(&mut out);
        out
    }

    /// The frames that one transmit sends.
    pub(crate) fn frames(&mut self) -> Vec<wire::Frame> {
        let out = self.output();
        let frames = wire::read(out.strip_prefix(wire::PREFACE).unwrap_or(&out));
        assert!(frames.iter().all(|frame| frame.payload.len() <= 1 << 24));
        frames
    }

    /// Returns the frames that one transmit sends, in words.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        self.frames().iter().map(wire::Frame::words).collect()
    }
}

/// Field lists for the calls of the crate.
pub(crate) fn fields<'f>(list: &'f [(&'f str, &'f str)]) -> impl Iterator<Item = Field<'f>> {
    list.iter().map(|(name, value)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Index,
    })
}

/// Events in words, lower case. Pieces of a body are joined, since their edges mean nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) lines: Vec<String>,
    /// The stream whose body the last line is.
    body: Option<u32>,
    pub(crate) blocks: Vec<Block>,
}

impl Log {
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        let end = |end_stream: bool| if end_stream { " end" } else { "" };
        let body = self.body.take();
        let line = match *event {
            Event::Headers {
                stream,
                block,
                end_stream,
            } => {
                self.blocks.push(block);
                format!("headers {}{}", stream.id, end(end_stream))
            }
            Event::Trailers { stream, block } => {
                self.blocks.push(block);
                format!("trailers {}", stream.id)
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                self.body = (!end_stream).then_some(stream.id);
                let rest = format!("{}{}", bytes.escape_ascii(), end(end_stream));
                if body == Some(stream.id)
                    && let Some(line) = self.lines.last_mut()
                {
                    line.push_str(&rest);
                    return;
                }
                format!("data {} {rest}", stream.id)
            }
            Event::Reset {
                stream,
                code,
                local,
            } => {
                let by = if local { " by us" } else { "" };
                format!("reset {} {}{by}", stream.id, wire::code(code.0))
            }
            Event::GoAway { last, code } => format!("goaway {last} {}", wire::code(code.0)),
            Event::SettingsChanged => "settings".into(),
            Event::PingAck(opaque) => format!("pong {opaque}"),
        };
        self.lines.push(line);
    }

    pub(crate) fn fail(&mut self, error: &ConnectionError) {
        self.body = None;
        assert!(error.to_string().starts_with("failed to "), "{error}");
        self.lines
            .push(format!("error {}", wire::code(error.code.0)));
    }
}

/// Feeds `input` to `make()` whole, byte by byte and halved at every place; each time it must
/// report and send what `expected` says, joined by "; ".
pub(crate) fn check(name: &str, make: impl Fn() -> End, input: &[Vec<u8>], expected: &str) {
    let bytes = input.concat();
    let run = |cuts: &[usize]| {
        let mut end = make();
        let mut log = Log::default();
        let mut from = 0;
        for &cut in cuts.iter().chain([&bytes.len()]) {
            end.feed_into(&bytes[from..cut], &mut log);
            from = cut;
        }
        let mut words = log.lines;
        words.extend(end.sent());
        words.join("; ")
    };
    assert_eq!(run(&[]), expected, "{name}");
    let every: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(run(&every), expected, "{name}, byte by byte");
    if bytes.len() < 600 {
        for cut in 0..bytes.len() {
            assert_eq!(run(&[cut]), expected, "{name}, cut at {cut}");
        }
    }
}

/// [`check`] on a server whose handshake is over.
pub(crate) fn check_server(name: &str, input: &[Vec<u8>], expected: &str) {
    check(name, End::server, input, expected);
}

/// [`check`] on a client that has opened one stream, its request complete.
pub(crate) fn check_client(name: &str, input: &[Vec<u8>], expected: &str) {
    check(name, || End::client(&[true]), input, expected);
}
