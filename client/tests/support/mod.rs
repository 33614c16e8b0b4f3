//! Client connection joined in memory to a scripted server.

use std::time::Duration;

use corespun_client::{Channel, Config, Connection};
use corespun_codec::message;
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config as Http2Config, ErrorCode, Event, StreamKey};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle, yield_now};

/// Number of turns of both sides before a test checks: enough to reach a steady state.
const ROUNDS: usize = 8;

/// Event that the server received.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request head.
    Head(StreamKey),
    /// Body bytes.
    Data(StreamKey, Vec<u8>, bool),
    /// RST_STREAM.
    Reset(StreamKey, ErrorCode),
    /// GOAWAY.
    GoAway,
}

/// Both ends of one connection.
pub struct Pair {
    pub client: Connection,
    pub server: corespun_http2::Connection,
    /// Clock of both sides.
    pub now: Duration,
    /// Latest result of the client's `transmit`.
    pub flow: Flow,
    /// Fields of the last request head.
    pub fields: Vec<(String, String)>,
    /// True if the server returns flow-control credit at once.
    pub releases: bool,
    /// Number of bytes that the client receives at a time.
    pub piece: usize,
}

impl Pair {
    pub fn new(limit: u32) -> (Self, Channel) {
        Self::with(limit, &Config::default())
    }

    pub fn with(limit: u32, config: &Config) -> (Self, Channel) {
        let (client, channel) = Connection::pair("test:1", config, SocketHandle::detached());
        let mut server = Http2Config::server();
        server.limits.concurrent_streams_max = limit;
        let pair = Self {
            client,
            server: corespun_http2::Connection::new(server),
            now: corespun_runtime::now(),
            flow: Flow::Open,
            fields: Vec::new(),
            releases: true,
            piece: usize::MAX,
        };
        (pair, channel)
    }

    /// Runs tasks and moves bytes until nothing changes; returns the events that the server
    /// received.
    pub async fn settle(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for _ in 0..ROUNDS {
            yield_now().await;
            let mut reply = Vec::new();
            self.server.transmit(&mut reply);
            for piece in reply.chunks(self.piece.min(reply.len().max(1))) {
                self.client.receive(self.now, Input::Bytes(piece));
            }
            yield_now().await;
            self.client.advance(self.now);
            let mut sent = Vec::new();
            self.flow = self.client.transmit(&mut sent);
            self.serve(&sent, &mut seen);
        }
        seen
    }

    fn serve(&mut self, mut input: &[u8], seen: &mut Vec<Seen>) {
        while let Some(event) = self.server.receive(self.now, &mut input).unwrap() {
            match event {
                Event::Headers { stream, .. } => {
                    seen.push(Seen::Head(stream));
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let list = self.server.headers().iter();
                    self.fields = list.map(|h| (text(h.name), text(h.value))).collect();
                }
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    if self.releases {
                        self.server.release(stream, bytes.len());
                    }
                    seen.push(Seen::Data(stream, bytes.to_vec(), end_stream));
                }
                Event::Reset { stream, code, .. } => seen.push(Seen::Reset(stream, code)),
                Event::GoAway { .. } => seen.push(Seen::GoAway),
                Event::Trailers { .. } | Event::SettingsChanged | Event::PingAck(_) => {}
            }
        }
    }

    /// Settles, and expects only complete unary requests; returns their streams.
    pub async fn requests(&mut self) -> Vec<StreamKey> {
        let mut streams = Vec::new();
        for seen in self.settle().await {
            match seen {
                Seen::Head(stream) => streams.push(stream),
                Seen::Data(stream, _, end) => assert!(end && streams.contains(&stream)),
                other => panic!("{other:?}"),
            }
        }
        streams
    }

    /// Settles, and expects one complete unary request; returns its stream.
    pub async fn request(&mut self) -> StreamKey {
        let streams = self.requests().await;
        assert_eq!(streams.len(), 1);
        streams[0]
    }

    pub fn headers(&mut self, stream: StreamKey, fields: &[(&str, &str)], end_stream: bool) {
        let fields = fields.iter().map(|(name, value)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Index,
        });
        self.server.send_headers(stream, fields, None, end_stream);
    }

    /// Sends the head of a response that is followed by messages.
    pub fn head(&mut self, stream: StreamKey) {
        self.headers(stream, &HEAD, false);
    }

    pub fn message(&mut self, stream: StreamKey, text: &str) {
        self.server.send_data(stream, &framed(text), false);
    }

    pub fn trailers(&mut self, stream: StreamKey, status: &str) {
        self.headers(stream, &[("grpc-status", status)], true);
    }

    /// Sends the end of a successful call without a message.
    pub fn trailers_only(&mut self, stream: StreamKey) {
        self.headers(stream, &[HEAD[0], HEAD[1], ("grpc-status", "0")], true);
    }

    /// Sends a complete response.
    pub fn respond(&mut self, stream: StreamKey, text: &str) {
        self.head(stream);
        self.message(stream, text);
        self.trailers(stream, "0");
    }
}

pub const HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

pub fn framed(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::encode(&text.to_owned(), &mut bytes).unwrap();
    bytes
}
