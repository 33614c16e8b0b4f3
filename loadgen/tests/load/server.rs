//! A server for tests: HTTP/2 over the runtime, and answers that are as wrong as is asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event, StreamKey};
use corespun_runtime::{
    Accept, Address, Engine, Flow, Input, Peer, Protocol, Running, Runtime, SocketHandle,
};

/// How a call is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// OK with one message.
    Good,
    /// Not at all.
    Never,
    /// One message, and END_STREAM without trailers.
    NoStatus,
    /// Trailers-only with this status.
    TrailersOnly(&'static str),
    /// OK with these bytes for a body.
    Body(&'static [u8]),
    /// An HTML page with this HTTP status.
    Page(&'static str),
    /// RST_STREAM with REFUSED_STREAM.
    Reset,
    /// The connection is closed instead of this call's answer, once.
    LoseOnce(u64),
    /// OK, but the thread sleeps before this call's answer, once.
    Stall(u64, Duration),
}

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls whose request has come in full.
    pub calls: AtomicU64,
    /// Bytes of request bodies.
    pub body_bytes: AtomicU64,
    /// Connections accepted.
    pub connections: AtomicU64,
    /// The fields of the first request.
    pub fields: Mutex<Vec<(String, String)>>,
    /// The most streams ever open at once on a connection.
    pub streams_max: AtomicU64,
}

/// A server at work.
pub struct TestServer {
    running: Running,
    pub seen: Arc<Seen>,
}

impl TestServer {
    pub fn start(engine: Engine, answer: Answer) -> Self {
        Self::with(engine, answer, Config::server())
    }

    pub fn with(engine: Engine, answer: Answer, config: Config) -> Self {
        let seen = Arc::<Seen>::default();
        let shared = seen.clone();
        let running = Runtime::builder()
            .listen("127.0.0.1:0".parse().unwrap())
            .shards(1)
            .engine(engine)
            .start(move |_| {
                let accept = Door {
                    answer,
                    config: config.clone(),
                    seen: shared.clone(),
                };
                Ok(Box::new(accept) as Box<dyn Accept>)
            })
            .unwrap();
        Self { running, seen }
    }

    pub fn address(&self) -> &Address {
        &self.running.addresses()[0]
    }

    pub fn calls(&self) -> u64 {
        self.seen.calls.load(Ordering::Relaxed)
    }
}

struct Door {
    answer: Answer,
    config: Config,
    seen: Arc<Seen>,
}

impl Accept for Door {
    fn accept(&mut self, _peer: Peer, _socket: SocketHandle) -> Box<dyn Protocol> {
        self.seen.connections.fetch_add(1, Ordering::Relaxed);
        Box::new(ServerConnection {
            http2: Connection::new(self.config.clone()),
            answer: self.answer,
            seen: self.seen.clone(),
            over: false,
        })
    }
}

struct ServerConnection {
    http2: Connection,
    answer: Answer,
    seen: Arc<Seen>,
    over: bool,
}

/// `UserResponse { id: 7, name: "Ada" }` behind its prefix.
const GOOD: &[u8] = b"\0\0\0\0\x07\x08\x07\x12\x03Ada";

const GRPC: (&str, &str) = ("content-type", "application/grpc");

impl ServerConnection {
    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Headers { .. } => {
                let open = self.http2.open_streams() as u64;
                self.seen.streams_max.fetch_max(open, Ordering::Relaxed);
                let mut fields = self.seen.fields.lock().unwrap();
                if fields.is_empty() {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let list = self.http2.headers().iter();
                    fields.extend(list.map(|field| (text(field.name), text(field.value))));
                }
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                self.seen
                    .body_bytes
                    .fetch_add(bytes.len() as u64, Ordering::Relaxed);
                self.http2.release(stream, bytes.len());
                if end_stream {
                    let call = self.seen.calls.fetch_add(1, Ordering::Relaxed) + 1;
                    self.answer(stream, call);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, stream: StreamKey, call: u64) {
        match self.answer {
            Answer::Never => {}
            Answer::Good => self.reply(stream, GOOD),
            Answer::Body(body) => self.reply(stream, body),
            Answer::NoStatus => {
                self.send(stream, &[(":status", "200"), GRPC], false);
                self.http2.send_data(stream, GOOD, true);
            }
            Answer::TrailersOnly(status) => {
                self.send(
                    stream,
                    &[(":status", "200"), GRPC, ("grpc-status", status)],
                    true,
                );
            }
            Answer::Page(status) => {
                self.send(
                    stream,
                    &[(":status", status), ("content-type", "text/html")],
                    false,
                );
                self.http2.send_data(stream, b"<html></html>", true);
            }
            Answer::Reset => self
                .http2
                .reset(stream, corespun_http2::ErrorCode::REFUSED_STREAM),
            Answer::LoseOnce(lost) if call == lost => self.over = true,
            Answer::LoseOnce(_) => self.reply(stream, GOOD),
            Answer::Stall(stalled, pause) => {
                if call == stalled {
                    std::thread::sleep(pause);
                }
                self.reply(stream, GOOD);
            }
        }
    }

    fn reply(&mut self, stream: StreamKey, body: &[u8]) {
        self.send(stream, &[(":status", "200"), GRPC], false);
        self.http2.send_data(stream, body, false);
        self.send(stream, &[("grpc-status", "0")], true);
    }

    fn send(&mut self, stream: StreamKey, fields: &[(&str, &str)], end_stream: bool) {
        let fields = fields.iter().map(|(name, value)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Index,
        });
        self.http2.send_headers(stream, fields, None, end_stream);
    }
}

impl Protocol for ServerConnection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(mut bytes) = input else {
            self.over = true;
            return;
        };
        while !self.over {
            match self.http2.receive(now, &mut bytes) {
                Ok(Some(event)) => self.on_event(event),
                Ok(None) => break,
                Err(_) => self.over = true,
            }
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        if self.over { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}
