//! Output in many sends: what a full socket does not take follows, in order, and no piece waits
//! for the peer to say something first.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use corespun_runtime::{Address, Engine, Flow, Input, Peer, Protocol, Runtime, SocketHandle};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::{dial, pattern, socket_path};

/// Sends `whole` in pieces, one a transmit, once it has received anything.
struct Pieces {
    whole: Vec<u8>,
    sent: usize,
    piece: usize,
    socket: SocketHandle,
}

impl Protocol for Pieces {
    fn receive(&mut self, _now: Duration, _input: Input<'_>) {
        self.socket.touch();
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        let end = self.whole.len().min(self.sent + self.piece);
        out.extend_from_slice(&self.whole[self.sent..end]);
        self.sent = end;
        if end == self.whole.len() {
            return Flow::Close;
        }
        self.socket.touch();
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// Has `len` bytes sent in pieces of `piece` to a peer that begins to read after `delay`.
fn check(engine: Engine, len: usize, piece: usize, delay: Duration) {
    let path = socket_path(&format!("pieces-{engine}-{piece}"));
    let builder = Runtime::builder().engine(engine).shards(1);
    let builder = builder.listen(any_port()).listen(Address::Unix(path));
    let running = builder.start(move |_| {
        Ok(Box::new(move |_: Peer, socket: SocketHandle| {
            Box::new(Pieces {
                whole: pattern(len),
                sent: 0,
                piece,
                socket,
            }) as Box<dyn Protocol>
        }))
    });
    let running = running.expect("started");
    for address in running.addresses() {
        let mut stream = dial(address);
        stream.write_all(b"go").expect("send");
        thread::sleep(delay);
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("receive");
        assert!(
            received == pattern(len),
            "{} bytes of {len}",
            received.len()
        );
    }
    running.stop();
    running.join().expect("a clean end");
}

#[test]
fn pieces_follow_without_being_asked_for() {
    each_engine("pieces_follow_without_being_asked_for", |engine| {
        check(engine, 3000, 10, Duration::ZERO);
    });
}

#[test]
fn what_a_full_socket_does_not_take_follows_in_order() {
    let name = "what_a_full_socket_does_not_take_follows_in_order";
    each_engine(name, |engine| {
        for piece in [3000, 50_000, 70_000] {
            check(engine, 16 << 20, piece, Duration::from_millis(100));
        }
    });
}
