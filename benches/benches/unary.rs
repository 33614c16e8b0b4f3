//! Unary calls in memory: our HTTP/2 core as the client, a whole server connection, no sockets.

use std::rc::Rc;
use std::time::Duration;

use corespun::runtime::{Flow, Input, Protocol, SocketHandle, block_on};
use corespun::server::{Config as ServerConfig, Connection as ServerConnection};
use corespun_benches::answers::{USER_EMAIL, USER_NAME};
use corespun_benches::services;
use corespun_benches::services::user::{UserRequest, user_service};
use corespun_codec::message;
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config, Connection, Event};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Time does not pass between the two ends.
const NOW: Duration = Duration::ZERO;

/// A framed reply: number, name and email address of a user whose number is below 128.
const REPLY_BYTES: usize =
    message::PREFIX_BYTES + 2 + (2 + USER_NAME.len()) + (2 + USER_EMAIL.len());

/// Both ends of a connection, and the wire between them.
struct Pair {
    client: Connection,
    blocks: BlockCache,
    server: ServerConnection,
    request: Vec<u8>,
    wire: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        let routes = Rc::new(services::routes());
        let (config, socket) = (ServerConfig::default(), SocketHandle::detached());
        let mut request = Vec::new();
        message::encode(&UserRequest { id: 7 }, &mut request).expect("a small message");
        Self {
            client: Connection::new(Config::client()),
            blocks: BlockCache::default(),
            server: ServerConnection::new(routes, &config, None, socket, NOW),
            request,
            wire: Vec::new(),
        }
    }

    /// Makes `calls` calls that travel together; gives the bytes of their responses.
    fn turn(&mut self, calls: usize) -> usize {
        for _ in 0..calls {
            let fields = head().into_iter();
            let opened = self.client.open(fields, Some(&mut self.blocks), false);
            let stream = opened.expect("room for another stream");
            self.client.send_data(stream, &self.request, true);
        }
        self.wire.clear();
        self.client.transmit(&mut self.wire);
        self.server.receive(NOW, Input::Bytes(&self.wire));
        self.wire.clear();
        assert_eq!(self.server.transmit(&mut self.wire), Flow::Open);
        self.receive(calls)
    }

    fn receive(&mut self, calls: usize) -> usize {
        let (mut body_bytes, mut ended) = (0, 0);
        let mut input = &self.wire[..];
        while let Some(event) = self.client.receive(NOW, &mut input).expect("a sound peer") {
            match event {
                Event::Data { stream, bytes, .. } => {
                    body_bytes += bytes.len();
                    self.client.release(stream, bytes.len());
                }
                Event::Trailers { .. } => ended += 1,
                _ => {}
            }
        }
        assert_eq!(ended, calls, "every call ends in trailers");
        body_bytes
    }
}

fn head() -> [Field<'static>; 6] {
    let path = user_service::GET_USER.path();
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "127.0.0.1:50051"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .map(|(name, value)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Index,
    })
}

async fn bench_calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unary/in-memory");
    for calls in [1, 10, 100] {
        let mut pair = Pair::new();
        assert_eq!(pair.turn(1), REPLY_BYTES, "the reply is there in full");
        group.throughput(Throughput::Elements(calls as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(calls),
            &calls,
            |bencher, calls| {
                bencher.iter(|| pair.turn(*calls));
            },
        );
    }
}

fn bench_unary(criterion: &mut Criterion) {
    // Handlers belong to a shard, so the whole bench runs as a task of one.
    block_on(bench_calls(criterion)).expect("a shard on this thread");
}

criterion_group!(benches, bench_unary);
criterion_main!(benches);
