//! Overload on real sockets: the measurements of a shard, and the counters that operators read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use corespun_codec::{Code, Kind, Method, Request, Response, Status, message};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Block, Config as Http2Config, Connection, Event};
use corespun_runtime::{Address, Engine};
use corespun_server::{Admission, Routes, Running, Server, Service};

const BURN: Method<String, String> = Method::new("/test.Burn/Burn", Kind::Unary);

/// Time for which one call blocks its shard.
const WORK: Duration = Duration::from_millis(2);

fn burn() {
    let start = Instant::now();
    while start.elapsed() < WORK {
        std::hint::spin_loop();
    }
}

struct Burn;

impl Service for Burn {
    const NAME: &'static str = "test.Burn";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(BURN, &service, |_, request: Request<String>| async {
            burn();
            Ok::<_, Status>(Response::new(request.into_inner()))
        });
    }
}

fn start(engine: Engine, admission: Option<Admission>) -> Running {
    let mut server = Server::builder().listen("127.0.0.1:0").shards(1);
    if let Some(admission) = admission {
        server = server.admission(admission);
    }
    let server = server.engine(engine).service(|_shard| Ok(Burn));
    server.start().expect("a server")
}

/// Client with many calls in flight on one connection.
struct Caller {
    stream: TcpStream,
    http2: Connection,
}

/// Outcomes of a number of calls.
#[derive(Debug, Default)]
struct Tally {
    ok: u32,
    refused: u32,
}

impl Caller {
    fn new(server: &Running) -> Self {
        let Address::Tcp(address) = server.addresses()[0] else {
            panic!("not TCP")
        };
        let stream = TcpStream::connect::<SocketAddr>(address).expect("a connection");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a timeout");
        let http2 = Connection::new(Http2Config::client());
        Self { stream, http2 }
    }

    fn call(&mut self, method: &Method<String, String>) {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method.path()),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        let fields = fields.map(|(name, value)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Index,
        });
        let stream = self.http2.open(fields.into_iter(), None, false).unwrap();
        let mut framed = Vec::new();
        message::encode(&String::from("text"), &mut framed).unwrap();
        self.http2.send_data(stream, &framed, true);
    }

    /// Keeps `calls` in flight for a while: starts a new one for each that ends.
    fn keep_calling(
        &mut self,
        method: &Method<String, String>,
        calls: u32,
        span: Duration,
    ) -> Tally {
        let (start, mut tally) = (Instant::now(), Tally::default());
        let mut in_flight = 0;
        let mut bytes = vec![0; 1 << 16];
        loop {
            while in_flight < calls && start.elapsed() < span {
                self.call(method);
                in_flight += 1;
            }
            let mut out = Vec::new();
            self.http2.transmit(&mut out);
            self.stream.write_all(&out).expect("the server takes it");
            if in_flight == 0 {
                return tally;
            }
            let len = self.stream.read(&mut bytes).expect("an answer in time");
            assert!(len > 0, "the server closed the connection");
            in_flight -= self.take(&bytes[..len], &mut tally);
        }
    }

    /// Returns the number of calls that ended.
    fn take(&mut self, mut input: &[u8], tally: &mut Tally) -> u32 {
        let mut ended = 0;
        while let Some(event) = self.http2.receive(Duration::ZERO, &mut input).unwrap() {
            match event {
                // A refusal is one block; only its first occurrence is parsed, because it may be
                // repeated.
                Event::Headers {
                    block, end_stream, ..
                } if end_stream => {
                    if let Block::New { .. } = block {
                        let list = self.http2.headers().iter();
                        let status = Status::from_trailers(list.map(|f| (f.name, f.value)));
                        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                    }
                    (tally.refused, ended) = (tally.refused + 1, ended + 1);
                }
                Event::Data { stream, bytes, .. } => self.http2.release(stream, bytes.len()),
                Event::Trailers { .. } => (tally.ok, ended) = (tally.ok + 1, ended + 1),
                _ => {}
            }
        }
        ended
    }
}

/// Returns admission settings that any call exceeds which waits for ten others.
fn strict() -> Admission {
    let target = WORK * 5;
    Admission::new().target(target).interval(WORK * 50)
}

fn each_engine(name: &str, test: impl Fn(Engine)) {
    for (engine, usable) in Engine::candidates() {
        match usable {
            Ok(()) => test(engine),
            Err(error) => println!("SKIPPED {name} on {engine}: {error}"),
        }
    }
}

#[test]
fn a_shard_measures_that_it_is_overloaded() {
    each_engine("a_shard_measures_that_it_is_overloaded", |engine| {
        let server = start(engine, Some(strict()));
        let mut caller = Caller::new(&server);
        let tally = caller.keep_calling(&BURN, 90, WORK * 300);
        assert!(tally.refused > 0, "{engine}: {tally:?}");
        assert!(tally.ok > 0, "{engine}: {tally:?}");
        let hits = server.overload_stats().total();
        assert_eq!(hits.overloaded, u64::from(tally.refused), "{hits:?}");
        assert!(hits.episodes > 0, "{hits:?}");
        server.stop().expect("a drain");
    });
}

#[test]
fn callers_that_wait_for_their_answers_are_no_overload() {
    each_engine(
        "callers_that_wait_for_their_answers_are_no_overload",
        |engine| {
            let admissions = [(Some(strict()), 1), (None, 90)];
            for (admission, calls) in admissions {
                let server = start(engine, admission);
                let mut caller = Caller::new(&server);
                let tally = caller.keep_calling(&BURN, calls, WORK * 200);
                assert_eq!(tally.refused, 0, "{engine} {calls}: {tally:?}");
                assert!(tally.ok > 0, "{engine} {calls}");
                server.stop().expect("a drain");
            }
        },
    );
}

#[test]
fn a_method_that_is_not_served_cannot_be_exempt() {
    let exempt = |method: &str| {
        let server = Server::builder().listen("127.0.0.1:0").shards(1);
        let server = server.admission(Admission::new().exempt(method));
        server.service(|_shard| Ok(Burn)).start()
    };
    for method in ["/test.Burn/Burn", "/test.Burn/*"] {
        exempt(method).expect(method).stop().expect("a drain");
    }
    for method in ["/test.Burn/Freeze", "/test.Bur*", "test.Burn/*"] {
        let error = exempt(method).map(drop).expect_err(method).to_string();
        let words = format!("failed to exempt {method} from admission");
        assert!(error.contains(&words), "{error}");
    }
}
