//! Server for tests: HTTP/2 over the runtime, with correct or wrong responses as requested.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Block, Config, Connection, Event, StreamKey};
use corespun_runtime::{
    Accept, Address, Engine, Flow, Input, Peer, Protocol, Running, Runtime, SocketHandle, turn_time,
};
use corespun_tls::Acceptor;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};

use crate::reflection;

/// Response of the server to a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// OK with one message.
    Good,
    /// No response.
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
    /// Closes the connection instead of this call's response, once.
    LoseOnce(u64),
    /// OK, but the thread sleeps before this call's response, once.
    Stall(u64, Duration),
    /// OK after a time in this range, evenly distributed: the n-th call waits in proportion to the
    /// fraction of n times the golden ratio.
    Delay(Duration, Duration),
    /// INTERNAL for each call whose number is a multiple of this, else OK.
    FailEvery(u64),
    /// This many messages at this interval, then OK.
    Stream(u32, Duration),
    /// A message this long after each request, and OK after the last.
    Echo(Duration),
    /// OK with a message packed by gzip.
    Packed(&'static [u8]),
    /// Reflection at this version, and OK to all other calls.
    Reflect(&'static str),
    /// This status with this text.
    Fail(&'static str, &'static str),
    /// OK, but a connection of this age accepts no new calls.
    Age(Duration),
}

/// Observations of the server.
#[derive(Debug, Default)]
pub struct Seen {
    /// Number of calls with a complete request.
    pub calls: AtomicU64,
    /// Number of bytes in request bodies.
    pub body_bytes: AtomicU64,
    /// Number of accepted connections.
    pub connections: AtomicU64,
    /// Header fields of the first request.
    pub fields: Mutex<Vec<(String, String)>>,
    /// Largest number of streams open at once on a connection.
    pub streams_max: AtomicU64,
    /// Number of received messages.
    pub messages: AtomicU64,
    /// Number of calls answered with INTERNAL.
    pub failed: AtomicU64,
    /// Delay of each delayed response in ns.
    pub held: Mutex<Vec<u64>>,
    /// Number of calls by path.
    pub paths: Mutex<BTreeMap<String, u64>>,
    /// Number of requests by body.
    pub bodies: Mutex<BTreeMap<Vec<u8>, u64>>,
    /// Distinct values of `x-id`.
    pub ids: Mutex<BTreeSet<String>>,
}

/// Running server for tests.
pub struct TestServer {
    running: Running,
    pub seen: Arc<Seen>,
}

impl TestServer {
    pub fn start(engine: Engine, answer: Answer) -> Self {
        Self::with(engine, answer, Config::server())
    }

    pub fn with(engine: Engine, answer: Answer, config: Config) -> Self {
        Self::behind(engine, answer, config, None, "127.0.0.1:0")
    }

    /// Starts a server with TLS.
    pub fn secure(engine: Engine, answer: Answer, tls: Acceptor) -> Self {
        Self::behind(engine, answer, Config::server(), Some(tls), "127.0.0.1:0")
    }

    /// Starts a server at this address.
    pub fn at(engine: Engine, answer: Answer, address: &str) -> Self {
        Self::behind(engine, answer, Config::server(), None, address)
    }

    fn behind(
        engine: Engine,
        answer: Answer,
        config: Config,
        tls: Option<Acceptor>,
        address: &str,
    ) -> Self {
        let seen = Arc::<Seen>::default();
        let shared = seen.clone();
        let running = Runtime::builder()
            .listen(address.parse().unwrap())
            .shards(1)
            .engine(engine)
            .start(move |_| {
                let accept = Door {
                    answer,
                    config: config.clone(),
                    seen: shared.clone(),
                    tls: tls.clone(),
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
    tls: Option<Acceptor>,
}

impl Accept for Door {
    fn accept(&mut self, _peer: Peer, socket: SocketHandle) -> Box<dyn Protocol> {
        self.seen.connections.fetch_add(1, Ordering::Relaxed);
        let (config, answer, seen) = (self.config.clone(), self.answer, self.seen.clone());
        let make = move || -> Box<dyn Protocol> {
            Box::new(ServerConnection {
                http2: Connection::new(config.clone()),
                answer,
                seen: seen.clone(),
                known: BTreeMap::new(),
                calls: BTreeMap::new(),
                later: BTreeMap::new(),
                retires: match answer {
                    Answer::Age(age) => Some(turn_time() + age),
                    _ => None,
                },
                over: false,
            })
        };
        let Some(tls) = &self.tls else { return make() };
        let _ = socket;
        let wrapped = tls.accept(Rc::from("test"), turn_time(), Box::new(move |_| make()));
        wrapped.unwrap()
    }
}

struct ServerConnection {
    http2: Connection,
    answer: Answer,
    seen: Arc<Seen>,
    /// Paths by the memo slots of their heads.
    known: BTreeMap<u8, String>,
    /// Open calls by stream ID.
    calls: BTreeMap<u32, Open>,
    /// Actions by time, in the order of requests.
    later: BTreeMap<(Duration, u64), (StreamKey, Act)>,
    /// Time from which the connection accepts no new calls.
    retires: Option<Duration>,
    over: bool,
}

/// Open call.
#[derive(Default)]
struct Open {
    path: String,
    body: Vec<u8>,
    /// Number of body bytes that were parsed as messages.
    taken: usize,
    /// True if the client has ended its side.
    ended: bool,
    /// Number of echoes still to send.
    owed: u32,
    /// True if the client compresses its messages.
    packed: bool,
}

/// Action on a call.
#[derive(Clone, Copy)]
enum Act {
    /// Respond; the value is the time of the request.
    Reply(Duration),
    /// Send a message of a stream; the value is the number left.
    Message(u32),
    /// Send an echo.
    Echo,
}

/// Marker in place of a path after the call's head was answered.
const ANSWERED: &str = "answered";

/// Response `UserResponse { id: 7, name: "Ada" }` with its prefix.
const GOOD: &[u8] = b"\0\0\0\0\x07\x08\x07\x12\x03Ada";

const GRPC: (&str, &str) = ("content-type", "application/grpc");

impl ServerConnection {
    fn on_event(&mut self, now: Duration, event: Event<'_>) {
        match event {
            Event::Headers { stream, block, .. } => self.on_head(stream, block),
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                let size = bytes.len() as u64;
                self.seen.body_bytes.fetch_add(size, Ordering::Relaxed);
                self.http2.release(stream, bytes.len());
                self.on_data(stream, bytes, now, end_stream);
            }
            Event::Reset { stream, .. } => drop(self.calls.remove(&stream.id)),
            _ => {}
        }
    }

    fn on_head(&mut self, stream: StreamKey, block: Block) {
        let open = self.http2.open_streams() as u64;
        self.seen.streams_max.fetch_max(open, Ordering::Relaxed);
        let mut call = Open::default();
        if let Block::New { memo } = block {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let list = self.http2.headers().iter();
            let list: Vec<_> = list
                .map(|field| (text(field.name), text(field.value)))
                .collect();
            let ids = list.iter().filter(|(name, _)| name == "x-id");
            let ids = ids.map(|(_, id)| id.clone());
            self.seen.ids.lock().unwrap().extend(ids);
            let path = list.iter().find(|(name, _)| name == ":path");
            call.path = path.map(|(_, path)| path.clone()).unwrap_or_default();
            if let Some(memo) = memo {
                self.known.insert(memo, call.path.clone());
            }
            let mut fields = self.seen.fields.lock().unwrap();
            if fields.is_empty() {
                *fields = list;
            }
        } else if let Block::Seen { memo } = block {
            call.path = self.known.get(&memo).cloned().unwrap_or_default();
        }
        *self
            .seen
            .paths
            .lock()
            .unwrap()
            .entry(call.path.clone())
            .or_default() += 1;
        self.calls.insert(stream.id, call);
    }

    fn on_data(&mut self, stream: StreamKey, bytes: &[u8], now: Duration, end: bool) {
        let Some(call) = self.calls.get_mut(&stream.id) else {
            return;
        };
        call.body.extend_from_slice(bytes);
        call.ended |= end;
        let mut came = Vec::new();
        while let Some(prefix) = call.body.get(call.taken..call.taken + 5) {
            let size = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
            let Some(message) = call.body.get(call.taken + 5..call.taken + 5 + size) else {
                break;
            };
            let packed = prefix[0] == 1;
            let mut plain = Vec::new();
            match packed {
                true => GzDecoder::new(message)
                    .read_to_end(&mut plain)
                    .map(drop)
                    .unwrap(),
                false => plain.extend_from_slice(message),
            }
            call.packed |= packed;
            came.push(plain);
            call.taken += 5 + size;
        }
        call.owed += came.len() as u32;
        self.seen
            .messages
            .fetch_add(came.len() as u64, Ordering::Relaxed);
        if let Answer::Echo(after) = self.answer {
            came.iter()
                .for_each(|_| self.plan(now + after, stream, Act::Echo));
            return;
        }
        if let (Answer::Reflect(version), [question]) = (self.answer, came.as_slice())
            && call.path.contains(".reflection.")
        {
            let path = call.path.clone();
            return self.reflect(stream, &path, version, question);
        }
        if end {
            let body = std::mem::take(&mut call.body);
            if body.len() < 1000 {
                *self.seen.bodies.lock().unwrap().entry(body).or_default() += 1;
            }
            let call = self.seen.calls.fetch_add(1, Ordering::Relaxed) + 1;
            self.answer(stream, call, now);
        }
    }

    fn plan(&mut self, at: Duration, stream: StreamKey, act: Act) {
        let order = self.later.len() as u64 + (u64::from(stream.id) << 32);
        let mut key = (at, order);
        while self.later.contains_key(&key) {
            key.1 += 1;
        }
        self.later.insert(key, (stream, act));
    }

    fn act(&mut self, now: Duration) {
        while let Some((&(at, _), _)) = self.later.first_key_value()
            && at <= now
            && let Some((_, (stream, act))) = self.later.pop_first()
        {
            match (act, self.answer) {
                (Act::Reply(came), _) => {
                    let held = (now - came).as_nanos() as u64;
                    self.seen.held.lock().unwrap().push(held);
                    self.reply(stream, GOOD);
                }
                (Act::Message(0), _) => self.send(stream, &[("grpc-status", "0")], true),
                (Act::Message(left), Answer::Stream(_, gap)) => {
                    self.http2.send_data(stream, GOOD, false);
                    self.plan(now + gap, stream, Act::Message(left - 1));
                }
                (Act::Message(_), _) => {}
                (Act::Echo, _) => self.echo(stream),
            }
        }
    }

    fn echo(&mut self, stream: StreamKey) {
        let Some(call) = self.calls.get_mut(&stream.id) else {
            return;
        };
        if call.owed > 0 && call.path != ANSWERED {
            call.path = ANSWERED.to_owned();
            self.send(stream, &[(":status", "200"), GRPC], false);
        }
        self.http2.send_data(stream, GOOD, false);
        let Some(call) = self.calls.get_mut(&stream.id) else {
            return;
        };
        call.owed -= 1;
        if call.ended && call.owed == 0 {
            self.seen.calls.fetch_add(1, Ordering::Relaxed);
            self.send(stream, &[("grpc-status", "0")], true);
        }
    }

    fn reflect(&mut self, stream: StreamKey, path: &str, version: &str, question: &[u8]) {
        if !path.contains(&format!(".{version}.")) {
            return self.send(
                stream,
                &[(":status", "200"), GRPC, ("grpc-status", "12")],
                true,
            );
        }
        let Some(call) = self.calls.get_mut(&stream.id) else {
            return;
        };
        let (first, packed) = (call.owed == 1, call.packed);
        call.owed += 1;
        let encoding = ("grpc-encoding", if packed { "gzip" } else { "identity" });
        if first {
            self.send(stream, &[(":status", "200"), GRPC, encoding], false);
        }
        let mut answer = reflection::answer(question);
        if packed {
            answer = pack(&answer[5..]);
        }
        self.http2.send_data(stream, &answer, false);
    }

    fn answer(&mut self, stream: StreamKey, call: u64, now: Duration) {
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
            Answer::Delay(low, high) => {
                let part = (call as f64 * 0.618_033_988_749_895).fract();
                let delay = low + (high - low).mul_f64(part);
                self.plan(now + delay, stream, Act::Reply(now));
            }
            Answer::FailEvery(number) if call.is_multiple_of(number) => {
                self.seen.failed.fetch_add(1, Ordering::Relaxed);
                self.send(
                    stream,
                    &[(":status", "200"), GRPC, ("grpc-status", "13")],
                    true,
                );
            }
            Answer::FailEvery(_) | Answer::Reflect(_) | Answer::Age(_) => {
                self.reply(stream, GOOD);
            }
            Answer::Fail(status, text) => {
                let status = [("grpc-status", status), ("grpc-message", text)];
                let head = [(":status", "200"), GRPC, status[0], status[1]];
                self.send(stream, &head, true);
            }
            Answer::Stream(count, gap) => {
                self.send(stream, &[(":status", "200"), GRPC], false);
                self.plan(now + gap, stream, Act::Message(count));
                self.act(now);
            }
            Answer::Echo(_) => {}
            Answer::Packed(body) => {
                let head = [(":status", "200"), GRPC, ("grpc-encoding", "gzip")];
                self.send(stream, &head, false);
                self.http2.send_data(stream, body, false);
                self.send(stream, &[("grpc-status", "0")], true);
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

/// Returns a message compressed by gzip, with its prefix.
fn pack(message: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    GzEncoder::new(message, Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    let mut framed = vec![1];
    framed.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    framed.extend_from_slice(&packed);
    framed
}

impl Protocol for ServerConnection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(mut bytes) = input else {
            self.over = true;
            return;
        };
        while !self.over {
            match self.http2.receive(now, &mut bytes) {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => break,
                Err(_) => self.over = true,
            }
        }
    }

    fn advance(&mut self, now: Duration) {
        self.act(now);
        if self.retires.is_some_and(|retires| retires <= now) {
            self.http2.drain();
            self.retires = None;
        }
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        if self.over { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        let later = self.later.first_key_value().map(|((at, _), _)| *at);
        later.into_iter().chain(self.retires).min()
    }
}
