//! Our connector with our acceptor on real sockets, on both engines.

#[path = "../../../runtime/tests/kit/engines.rs"]
mod engines;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{
    Address, Engine, Flow, Input, LocalConfig, LocalShard, Peer, Protocol, Running, Runtime,
    SocketHandle, connect, sleep, turn_time,
};
use corespun_tls::{Acceptor, Connector, Handshake};

use crate::pair::{HOST, World};

pub use engines::each_engine;

/// Sends a line with the parameters of the handshake, then echoes its input.
pub struct Echo {
    output: Vec<u8>,
    ended: bool,
}

impl Echo {
    fn boxed(handshake: Handshake) -> Box<dyn Protocol> {
        let greeting = format!(
            "{} {} {} certificates={} resumed={}\n",
            handshake.version,
            String::from_utf8_lossy(&handshake.alpn),
            handshake.server_name.unwrap_or_default(),
            handshake.certificates.len(),
            handshake.resumed,
        );
        let output = greeting.into_bytes();
        let ended = false;
        Box::new(Self { output, ended })
    }
}

impl Protocol for Echo {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.output.extend_from_slice(bytes),
            Input::End => self.ended = true,
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.output);
        if self.ended { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn drain(&mut self, _now: Duration) {
        self.ended = true;
    }
}

/// Echo service over TLS.
pub struct Service(Running);

impl Service {
    pub fn start(engine: Engine, acceptor: Acceptor) -> Self {
        let builder = Runtime::builder().shards(2).engine(engine);
        let builder = builder.listen("127.0.0.1:0".parse().expect("an address"));
        let running = builder.start(move |_| {
            let acceptor = acceptor.clone();
            Ok(Box::new(move |peer: Peer, _: SocketHandle| {
                let name = format!("{:?}", peer.address).into();
                let wrapped = acceptor.accept(name, turn_time(), Box::new(Echo::boxed));
                wrapped.expect("settings that hold")
            }))
        });
        Self(running.expect("the service starts"))
    }

    pub fn address(&self) -> String {
        self.0.addresses()[0].to_string()
    }

    pub fn stop(self) {
        self.0.stop();
        self.0.join().expect("a clean end");
    }
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

/// Sends given bytes, and keeps the bytes that arrive.
struct Collector {
    output: Vec<u8>,
    seen: Rc<RefCell<Seen>>,
}

impl Protocol for Collector {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        let mut seen = self.seen.borrow_mut();
        match input {
            Input::Bytes(bytes) => seen.bytes.extend_from_slice(bytes),
            Input::End => seen.ended = true,
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.output);
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// Sends `sent` through one connection, and returns the greeting and the echo.
async fn call(connector: &Connector, address: &Address, sent: Vec<u8>) -> (String, Vec<u8>) {
    let seen = Rc::<RefCell<Seen>>::default();
    let (connector, inner, len) = (connector.clone(), seen.clone(), sent.len());
    let collector = Collector {
        output: sent,
        seen: inner,
    };
    let mut collector = Some(collector);
    let connected = connect(address, move |_| {
        let inside = move |_: Handshake| -> Box<dyn Protocol> {
            Box::new(collector.take().expect("one handshake"))
        };
        let wrapped = connector.connect(HOST, "server".into(), turn_time(), Box::new(inside));
        wrapped.expect("a host")
    });
    let socket = connected.await.expect("connected");
    let limit = corespun_runtime::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = answer(&seen.borrow(), len) {
            socket.close();
            return answer;
        }
        assert!(!seen.borrow().ended, "the connection ended early");
        assert!(corespun_runtime::now() < limit, "waited in vain");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Returns the greeting and the `len` bytes after it, once they have arrived.
fn answer(seen: &Seen, len: usize) -> Option<(String, Vec<u8>)> {
    let line = seen.bytes.iter().position(|byte| *byte == b'\n')?;
    let back = seen.bytes.get(line + 1..line + 1 + len)?;
    let greeting = String::from_utf8_lossy(&seen.bytes[..line]).into_owned();
    Some((greeting, back.to_vec()))
}

#[test]
fn bytes_come_back_and_sessions_resume() {
    let world = World::new();
    each_engine("bytes_come_back_and_sessions_resume", |engine| {
        let service = Service::start(engine, world.acceptor());
        let address: Address = service.address().parse().expect("an address");
        let connector = world.connector();
        let mut shard = LocalShard::new(LocalConfig { engine, cpu: None }).expect("a shard");
        shard.block_on(async {
            for (len, resumed) in [(10, false), (3 << 20, true), (70_000, true)] {
                let sent: Vec<u8> = (0..len).map(|i: usize| (i * 7 + i / 253) as u8).collect();
                let (greeting, back) = call(&connector, &address, sent.clone()).await;
                let expected = format!("TLSv1_3 h2 {HOST} certificates=0 resumed={resumed}");
                assert_eq!(greeting, expected);
                assert!(back == sent, "{len} bytes came back changed");
            }
        });
        drop(shard);
        service.stop();
    });
}
