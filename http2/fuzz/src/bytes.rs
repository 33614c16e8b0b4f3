//! Bytes as they come from a socket, whole and in pieces.

use core::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, ConnectionError, ErrorCode, Event, Role, StreamKey};

use crate::decisions::Decisions;
use crate::duel::Choice;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Settings for feeding an input, taken from its first byte.
#[derive(Clone, Copy)]
struct Setup {
    role: Role,
    /// The peer's lawful first frames come ahead of the input.
    greeted: bool,
    /// The application answers each request.
    answers: bool,
    /// Limits that little reaches.
    tight: bool,
}

/// Outcome of an input.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    events: Vec<String>,
    error: Option<ConnectionError>,
    output: Vec<u8>,
    open: usize,
}

/// Raw bytes into a server or a client: any split tells the same (RFC 9113 §4.1 knows none).
pub fn connection_bytes(data: &[u8]) {
    let mut decisions = Decisions(data);
    let flags = decisions.byte();
    let setup = Setup {
        role: if flags & 1 == 0 {
            Role::Server
        } else {
            Role::Client
        },
        greeted: flags & 2 == 0,
        answers: flags & 4 == 0,
        tight: flags & 8 != 0,
    };
    let mut cuts = Decisions(&data[data.len().min(1)..data.len().min(9)]);
    let input = match (setup.greeted, setup.role) {
        (false, _) => data.to_vec(),
        (true, Role::Server) => [PREFACE, SETTINGS, decisions.0].concat(),
        (true, Role::Client) => [SETTINGS, decisions.0].concat(),
    };
    let whole = run(setup, &input, || usize::MAX);
    assert_eq!(run(setup, &input, || 1), whole, "split into single bytes");
    // The input itself says where it is split, over and over.
    let pieces = run(setup, &input, || {
        if cuts.0.is_empty() {
            cuts = Decisions(&data[..data.len().min(9)]);
        }
        1 + cuts.below(40)
    });
    assert_eq!(pieces, whole, "split into pieces");
}

fn config(setup: Setup) -> Config {
    let mut config = Config {
        role: setup.role,
        ..Config::server()
    };
    if setup.tight {
        let limits = &mut config.limits;
        limits.concurrent_streams_max = 2;
        limits.stream_window_bytes = 50;
        limits.header_list_bytes_soft = 200;
        limits.header_list_bytes_hard = 400;
        limits.header_fields_soft = 8;
        limits.header_fields_hard = 12;
        limits.continuation_frames_max = 2;
        limits.header_block_bytes_max = 300;
        limits.settings_entries_max = 3;
        limits.reset_budget = 2;
        limits.queued_replies_max = 3;
        limits.empty_data_frames_max = 2;
        limits.output_bytes_high = 300;
    }
    config
}

fn fields<const N: usize>(pairs: [(&'static str, &'static str); N]) -> [Field<'static>; N] {
    pairs.map(|(name, value)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Index,
    })
}

fn run(setup: Setup, input: &[u8], mut piece_len: impl FnMut() -> usize) -> Outcome {
    let mut connection = Connection::new(config(setup));
    for end in [true, false, false] {
        if setup.role == Role::Client {
            let request = fields([(":method", "POST"), (":scheme", "http"), (":path", "/a/b")]);
            let opened = connection.open(request.into_iter(), None, end);
            assert!(opened.is_ok(), "no limit of the peer is known yet");
        }
    }
    let mut outcome = Outcome::default();
    let mut rest = input;
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(piece_len().min(rest.len()));
        rest = after;
        feed(&mut connection, &mut piece, setup, &mut outcome);
    }
    outcome.open = connection.open_streams();
    let mut output = Vec::new();
    connection.transmit(&mut output);
    outcome.output = without_credit(&output, setup.role);
    outcome
}

/// The output without WINDOW_UPDATE frames: credit for padding is given as its pieces come.
fn without_credit(output: &[u8], role: Role) -> Vec<u8> {
    let preface = if role == Role::Client {
        PREFACE.len()
    } else {
        0
    };
    let (preface, mut rest) = output.split_at(preface);
    let mut kept = preface.to_vec();
    while let Some(&[a, b, c, kind, ..]) = rest.first_chunk::<9>() {
        let len = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
        let (frame, after) = rest.split_at(len);
        if kind != 8 {
            kept.extend(frame);
        }
        rest = after;
    }
    assert!(rest.is_empty(), "the output ends within a frame");
    kept
}

fn feed(connection: &mut Connection, input: &mut &[u8], setup: Setup, outcome: &mut Outcome) {
    loop {
        match connection.receive(Duration::ZERO, input) {
            Ok(Some(event)) => {
                let ended = outcome.note(connection, &event);
                if let Some(stream) = ended.filter(|_| setup.answers && setup.role == Role::Server)
                {
                    answer(connection, stream);
                }
            }
            Ok(None) => return,
            Err(error) => outcome.error = Some(error),
        }
    }
}

fn answer(connection: &mut Connection, stream: StreamKey) {
    match stream.id % 8 {
        1 => connection.reset(stream, ErrorCode::CANCEL),
        3 => {
            let head = fields([(":status", "200"), ("grpc-status", "5")]);
            connection.send_headers(stream, head.into_iter(), None, true);
        }
        _ => {
            let head = fields([(":status", "200")]);
            connection.send_headers(stream, head.into_iter(), None, false);
            connection.send_data(stream, &[b'r'; 100], false);
            let trailers = fields([("grpc-status", "0")]);
            connection.send_headers(stream, trailers.into_iter(), None, true);
        }
    }
}

impl Outcome {
    /// Keeps an event, pieces of one body joined; the stream that has ended with it.
    fn note(&mut self, connection: &Connection, event: &Event<'_>) -> Option<StreamKey> {
        match event {
            Event::Headers {
                stream, end_stream, ..
            } => {
                let fields: Vec<_> = connection.headers().iter().collect();
                self.events.push(format!("{event:?} {fields:?}"));
                end_stream.then_some(*stream)
            }
            Event::Trailers { stream, .. } => {
                self.events.push(format!("{event:?}"));
                Some(*stream)
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                let start = format!("Data {}:", stream.id);
                match self
                    .events
                    .last_mut()
                    .filter(|last| last.starts_with(&start))
                {
                    Some(last) => last.push_str(&bytes.escape_ascii().to_string()),
                    None => self.events.push(format!("{start}{}", bytes.escape_ascii())),
                }
                if *end_stream {
                    self.events.push(format!("end {}", stream.id));
                }
                end_stream.then_some(*stream)
            }
            _ => {
                self.events.push(format!("{event:?}"));
                None
            }
        }
    }
}
