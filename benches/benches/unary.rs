//! Unary calls in memory: our HTTP/2 core as the client, a complete server connection, no sockets.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use corespun::otel::{Otlp, Sampler, Tracer};
use corespun::runtime::{Flow, Input, Protocol, SocketHandle, block_on};
use corespun::server::{Config as ServerConfig, Connection as ServerConnection, Routes, observe};
use corespun::{CallObserver, Incoming, Interceptor, MessageBytes};
use corespun_benches::answers::{USER_EMAIL, USER_NAME};
use corespun_benches::services;
use corespun_benches::services::user::{UserRequest, user_service_methods};
use corespun_codec::message;
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config, Connection, Event};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Clock of both ends; it stands still.
const NOW: Duration = Duration::ZERO;

/// Size of a framed reply in bytes: number, name and email address of a user whose number is below
/// 128.
const REPLY_BYTES: usize =
    message::PREFIX_BYTES + 2 + (2 + USER_NAME.len()) + (2 + USER_EMAIL.len());

/// Both ends of a connection, and the bytes in transit between them.
struct Pair {
    client: Connection,
    blocks: BlockCache,
    server: ServerConnection,
    request: Vec<u8>,
    wire: Vec<u8>,
}

impl Pair {
    fn new(routes: Routes) -> Self {
        let routes = Rc::new(routes);
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

    /// Makes `calls` calls in one turn; returns the number of response bytes.
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
    let path = user_service_methods::GET_USER.path();
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
        let mut pair = Pair::new(services::routes());
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

/// Counts the bytes of responses.
#[derive(Default)]
struct Volume(Cell<usize>);

impl CallObserver for Volume {
    fn sent(&self, message: MessageBytes) {
        self.0.set(self.0.get() + message.wire);
    }
}

/// Returns a tracer whose spans are never exported: they fill the queue, then they are dropped.
fn tracer(sampler: Sampler) -> Tracer {
    let otlp = Otlp::new("http://127.0.0.1:9").pause(Duration::from_secs(3600));
    let builder = Tracer::builder("bench").sampler(sampler).export(otlp);
    builder.start().expect("an exporter")
}

/// Measures each optional feature around calls, ten calls at a time.
async fn bench_around(criterion: &mut Criterion) {
    let volume = Rc::new(Volume::default());
    let watch = observe(move |_call: &Incoming| Some(volume.clone() as _));
    let nothing = |_call: &mut Incoming| Ok(());
    let cases: [(&str, Vec<Rc<dyn Interceptor>>); 5] = [
        ("nothing", Vec::new()),
        ("interceptor", vec![Rc::new(nothing)]),
        ("observer", vec![Rc::new(watch)]),
        (
            "span-unsampled",
            vec![Rc::new(tracer(Sampler::NEVER).server())],
        ),
        (
            "span-sampled",
            vec![Rc::new(tracer(Sampler::ALWAYS).server())],
        ),
    ];
    let mut group = criterion.benchmark_group("unary/around");
    group.throughput(Throughput::Elements(10));
    for (name, interceptors) in cases {
        let mut pair = Pair::new(services::intercepted(interceptors));
        group.bench_function(name, |bencher| bencher.iter(|| pair.turn(10)));
    }
}

async fn bench_all(criterion: &mut Criterion) {
    bench_calls(criterion).await;
    bench_around(criterion).await;
}

fn bench_unary(criterion: &mut Criterion) {
    // Handlers belong to a shard, so the whole bench runs as a task of one.
    block_on(bench_all(criterion)).expect("a shard on this thread");
}

criterion_group!(benches, bench_unary);
criterion_main!(benches);
