//! The last bytes of a socket: they leave, whatever ends behind them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use corespun_runtime::{
    Address, Engine, Flow, Input, Peer, Protocol, Runtime, SocketHandle, connect,
};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::local;

/// Longer than a socket that has ended its side waits for its peer.
const LINGERED: Duration = Duration::from_millis(1300);

/// Sends a word whenever it is touched.
struct Words {
    due: bool,
}

impl Protocol for Words {
    fn receive(&mut self, _now: Duration, _input: Input<'_>) {}

    fn advance(&mut self, _now: Duration) {
        self.due = true;
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if std::mem::take(&mut self.due) {
            out.extend_from_slice(b"word");
        }
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn what_the_last_turn_sends_leaves() {
    each_engine("what_the_last_turn_sends_leaves", |engine| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = Address::Tcp(listener.local_addr().expect("an address"));
        let mut shard = local(engine);
        let make = |_| Box::new(Words { due: false }) as Box<dyn Protocol>;
        let socket = shard.block_on(async { connect(&address, make).await.expect("connected") });
        let (mut peer, _) = listener.accept().expect("a peer");
        let patience = Some(Duration::from_secs(5));
        peer.set_read_timeout(patience).expect("set");
        let mut word = [0; 4];
        shard.block_on(async { socket.touch() });
        peer.read_exact(&mut word).expect("sent between two uses");
        shard.block_on(async { socket.touch() });
        drop(shard);
        peer.read_exact(&mut word).expect("sent before the end");
        assert_eq!(&word, b"word");
    });
}

/// Says goodbye to whoever says something, and leaves the rest for a later that never comes.
struct Leaving;

impl Protocol for Leaving {
    fn receive(&mut self, _now: Duration, _input: Input<'_>) {}

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.extend_from_slice(b"goodbye");
        Flow::Close
    }

    fn has_backlog(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

fn leave(engine: Engine) {
    let running = Runtime::builder()
        .engine(engine)
        .shards(1)
        .listen(any_port())
        .start(|_| {
            Ok(Box::new(|_: Peer, _: SocketHandle| {
                Box::new(Leaving) as Box<dyn Protocol>
            }))
        })
        .expect("started");
    let Address::Tcp(address) = &running.addresses()[0] else {
        unreachable!("any_port is of TCP");
    };
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(b"hello").expect("send");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("receive");
    assert_eq!(said, b"goodbye");
    // A window update, say: unread, it would have the kernel reset the connection.
    stream.write_all(b"more").expect("send");
    thread::sleep(LINGERED);
    let error = stream.take_error().expect("asked");
    assert!(error.is_none(), "{error:?}");
    running.stop();
    running.join().expect("a clean end");
}

#[test]
fn who_closes_reads_on_until_its_peer_has_ended() {
    each_engine("who_closes_reads_on_until_its_peer_has_ended", leave);
}
