//! Protocols on the monoio host behave as on our own sockets: bytes, deadlines and the end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use corespun_benches::{Listeners, monoio_host};
use corespun_runtime::{Accept, Engine, Flow, Input, Peer, Protocol, SocketHandle, now};

/// Time without input after which the protocol below acts.
const PATIENCE: Duration = Duration::from_millis(20);

/// Protocol that echoes, sends `tick` when the peer was silent for too long, and `end` when it has
/// closed.
struct Ticker {
    unsent: Vec<u8>,
    due: Duration,
    flow: Flow,
}

impl Protocol for Ticker {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        self.due = now + PATIENCE;
        match input {
            Input::Bytes(bytes) => self.unsent.extend_from_slice(bytes),
            Input::End => {
                self.unsent.extend_from_slice(b"end");
                self.flow = Flow::Close;
            }
        }
    }

    fn advance(&mut self, now: Duration) {
        if now >= self.due {
            self.due = now + PATIENCE;
            self.unsent.extend_from_slice(b"tick");
        }
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.unsent);
        self.flow
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.due)
    }
}

fn accept() -> Box<dyn Accept> {
    Box::new(|_: Peer, _: SocketHandle| {
        Box::new(Ticker {
            unsent: Vec::new(),
            due: now() + PATIENCE,
            flow: Flow::Open,
        }) as Box<dyn Protocol>
    })
}

fn check(engine: Engine) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut listeners = Listeners::bind(&[address], 1).expect("a free port");
    let shard = listeners.shards.remove(0);
    thread::spawn(move || monoio_host::serve(engine, None, shard, accept()));

    let mut peer = TcpStream::connect(listeners.addresses[0]).expect("a listener");
    let mut ticks = [0; 8];
    peer.read_exact(&mut ticks).expect("two ticks");
    assert_eq!(&ticks, b"ticktick", "{engine}");
    peer.write_all(b"hello").expect("an open socket");
    peer.shutdown(Shutdown::Write).expect("an open socket");
    let mut rest = String::new();
    peer.read_to_string(&mut rest).expect("an orderly end");
    assert_eq!(rest.replace("tick", ""), "helloend", "{engine}");
}

#[test]
fn drives_a_protocol_on_epoll() {
    check(Engine::Epoll);
}

#[test]
fn drives_a_protocol_on_io_uring() {
    if monoio_host::resolve(Engine::Auto) == Engine::Uring {
        check(Engine::Uring);
    } else {
        eprintln!("SKIPPED monoio on io_uring: this kernel denies what monoio needs");
    }
}
