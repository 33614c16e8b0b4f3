//! Allocations of a unary call on the client's side, on a connection that has served calls before.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corespun_client::{Channel, Config, Connection};
use corespun_codec::{Kind, Method, Request, Response, Status};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Config as Http2Config, Event, StreamKey};
use corespun_runtime::{Input, Protocol, SocketHandle, give_buffer, take_buffer};

const NOTHING: Method<(), ()> = Method::new("/test.Words/Nothing", Kind::Unary);

type Outcome = Result<Response<()>, Status>;

struct Pair {
    client: Connection,
    server: corespun_http2::Connection,
    caches: [BlockCache; 2],
}

impl Pair {
    /// Passes the client's output to the server; returns the last stream that the client opened.
    fn take(&mut self) -> Option<StreamKey> {
        let mut sent = take_buffer();
        self.client.transmit(&mut sent);
        let (mut input, mut opened) = (&sent[..], None);
        while let Some(event) = self.server.receive(Duration::ZERO, &mut input).unwrap() {
            if let Event::Headers { stream, .. } = event {
                opened = Some(stream);
            }
        }
        give_buffer(sent);
        opened
    }

    fn give(&mut self) {
        let mut sent = take_buffer();
        self.server.transmit(&mut sent);
        self.client.receive(Duration::ZERO, Input::Bytes(&sent));
        give_buffer(sent);
    }

    fn respond(&mut self, stream: StreamKey) {
        let field = |name, value| Field {
            name,
            value,
            indexing: Indexing::Index,
        };
        let head = [
            field(b":status", b"200"),
            field(b"content-type", b"application/grpc"),
        ];
        let trailers = [field(b"grpc-status", b"0")];
        let [first, second] = &mut self.caches;
        self.server
            .send_headers(stream, head.into_iter(), Some(first), false);
        self.server.send_data(stream, &[0; 5], false);
        self.server
            .send_headers(stream, trailers.into_iter(), Some(second), true);
    }

    fn call(&mut self, channel: &Channel) -> Outcome {
        let mut call = pin!(channel.unary(NOTHING, Request::new(())));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        let stream = self.take().unwrap();
        self.respond(stream);
        self.give();
        match call.poll(&mut context) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("no response"),
        }
    }
}

#[test]
fn a_unary_call_allocates_its_slot() {
    const CALLS: u64 = 1000;
    let socket = SocketHandle::detached();
    let (client, channel) = Connection::pair("test:1", &Config::default(), socket);
    let mut pair = Pair {
        client,
        server: corespun_http2::Connection::new(Http2Config::server()),
        caches: Default::default(),
    };
    pair.take();
    pair.give();
    for _ in 0..100 {
        pair.call(&channel).unwrap();
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..CALLS {
            pair.call(&channel).unwrap();
        }
    });
    assert_eq!(counted.count_total, CALLS, "one allocation per call");
}
