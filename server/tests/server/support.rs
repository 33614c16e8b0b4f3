//! Client in memory: an HTTP/2 client joined to a server's connection without sockets.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Status, message};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Block, BlockCache, Config as Http2Config, Event, StreamKey};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle};
use corespun_server::{Config, Connection, Routes, Valve};

/// Response received on one stream.
#[derive(Debug, Default)]
pub struct Answer {
    pub head: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    pub ended: bool,
    pub reset: Option<u32>,
}

impl Answer {
    /// Returns the `grpc-status` from the trailers or from a Trailers-Only head.
    pub fn status(&self) -> Status {
        let fields = if self.trailers.is_empty() {
            &self.head
        } else {
            &self.trailers
        };
        Status::from_trailers(fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.iter().chain(&self.trailers);
        fields
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Client and server connection.
pub struct Pair {
    pub client: corespun_http2::Connection,
    pub server: Connection,
    pub answers: BTreeMap<u32, Answer>,
    pub flow: Flow,
    /// True if the client returns flow-control credit at once.
    pub releases: bool,
    /// Clock of the server; it stands still unless a test advances it.
    pub clock: fn() -> Duration,
    cache: BlockCache,
    seen: BTreeMap<u8, Vec<(String, String)>>,
    wire: Vec<u8>,
    /// Moment of the current turn; it advances when the server has left work for the next turn.
    pub turn: Duration,
}

impl Pair {
    pub fn new(routes: Routes) -> Self {
        Self::with(routes, Config::default(), Http2Config::client())
    }

    pub fn with(routes: Routes, config: Config, client: Http2Config) -> Self {
        Self::join(Self::server(routes, &config), client)
    }

    /// Creates a pair whose server shares the valve of a shard with others.
    pub fn behind(valve: &Rc<Valve>, routes: Routes, config: &Config, client: Http2Config) -> Self {
        let server = Self::server(routes, config).behind(Rc::clone(valve));
        Self::join(server, client)
    }

    fn server(routes: Routes, config: &Config) -> Connection {
        let socket = SocketHandle::detached();
        let peer = Some(Rc::from("127.0.0.1:9"));
        Connection::new(Rc::new(routes), config, peer, socket, Duration::ZERO)
    }

    fn join(server: Connection, client: Http2Config) -> Self {
        let client = corespun_http2::Connection::new(client);
        let mut pair = Self {
            client,
            server,
            answers: BTreeMap::new(),
            flow: Flow::Open,
            releases: true,
            clock: || Duration::ZERO,
            cache: BlockCache::default(),
            seen: BTreeMap::new(),
            wire: Vec::new(),
            turn: Duration::ZERO,
        };
        pair.exchange();
        pair
    }

    /// Opens a stream with a gRPC request head and further fields.
    pub fn open(&mut self, path: &str, more: &[(&str, &str)], end_stream: bool) -> StreamKey {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        let replaced = |name: &str| more.iter().any(|(n, _)| *n == name);
        let all = fields
            .iter()
            .filter(|(name, _)| !replaced(name))
            .chain(more);
        let all = all
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Field {
                name: name.as_bytes(),
                value: value.as_bytes(),
                indexing: Indexing::Index,
            });
        let (pseudo, regular): (Vec<_>, Vec<_>) = all.partition(|f| f.name.starts_with(b":"));
        self.client
            .open(pseudo.into_iter().chain(regular), None, end_stream)
            .unwrap()
    }

    /// Sends one framed message.
    pub fn send<M: prost::Message>(&mut self, stream: StreamKey, message: &M, end_stream: bool) {
        let mut framed = Vec::new();
        message::encode(message, &mut framed).unwrap();
        self.client.send_data(stream, &framed, end_stream);
    }

    /// Runs a complete unary call.
    pub fn unary<M: prost::Message>(&mut self, path: &str, message: &M) -> &Answer {
        let stream = self.open(path, &[], false);
        self.send(stream, message, true);
        self.exchange();
        &self.answers[&stream.id]
    }

    /// Runs a unary call with as few allocations on the client's side as possible: the response is
    /// only counted. Returns the number of successful calls so far.
    pub fn unary_constant(&mut self, fields: &[Field<'_>], framed: &[u8]) -> usize {
        let cache = Some(&mut self.cache);
        let stream = self
            .client
            .open(fields.iter().copied(), cache, false)
            .unwrap();
        self.client.send_data(stream, framed, true);
        self.wire.clear();
        self.client.transmit(&mut self.wire);
        self.server
            .receive(Duration::ZERO, Input::Bytes(&self.wire));
        self.wire.clear();
        self.flow = self.server.transmit(&mut self.wire);
        let mut input = &self.wire[..];
        let mut ended = 0;
        while let Some(event) = self.client.receive(Duration::ZERO, &mut input).unwrap() {
            ended += usize::from(matches!(event, Event::Trailers { .. }));
        }
        ended
    }

    /// Exchanges bytes until neither side has output.
    pub fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            let mut wire = Vec::new();
            self.client.transmit(&mut wire);
            if !wire.is_empty() {
                quiet = false;
                let now = (self.clock)() + self.turn;
                self.server.receive(now, Input::Bytes(&wire));
            }
            if self.server.has_backlog() {
                quiet = false;
                self.turn += Duration::from_nanos(1);
            }
            self.server.advance((self.clock)() + self.turn);
            let mut wire = Vec::new();
            self.flow = self.server.transmit(&mut wire);
            if !wire.is_empty() {
                quiet = false;
                self.absorb(&wire);
            }
            if quiet {
                return;
            }
        }
    }

    fn fields(&mut self, block: Block) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match block {
            Block::Seen { memo } => self.seen[&memo].clone(),
            Block::New { memo } => {
                let list = self.client.headers().iter();
                let fields: Vec<_> = list.map(|f| (text(f.name), text(f.value))).collect();
                if let Some(memo) = memo {
                    self.seen.insert(memo, fields.clone());
                }
                fields
            }
        }
    }

    /// Lets the client read what the server has transmitted.
    pub fn absorb(&mut self, wire: &[u8]) {
        let mut input = wire;
        while let Some(event) = self.client.receive(Duration::ZERO, &mut input).unwrap() {
            match event {
                Event::Headers {
                    stream,
                    end_stream,
                    block,
                } => {
                    let head = self.fields(block);
                    let answer = self.answers.entry(stream.id).or_default();
                    answer.head = head;
                    answer.ended = end_stream;
                }
                Event::Trailers { stream, block } => {
                    let trailers = self.fields(block);
                    let answer = self.answers.entry(stream.id).or_default();
                    answer.trailers = trailers;
                    answer.ended = true;
                }
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    let answer = self.answers.entry(stream.id).or_default();
                    answer.body.extend_from_slice(bytes);
                    answer.ended = end_stream;
                    if self.releases {
                        self.client.release(stream, bytes.len());
                    }
                }
                Event::Reset { stream, code, .. } => {
                    self.answers.entry(stream.id).or_default().reset = Some(code.0);
                }
                Event::GoAway { .. } | Event::SettingsChanged | Event::PingAck(_) => {}
            }
        }
    }
}
