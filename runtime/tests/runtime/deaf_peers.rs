//! Peers that do not read what they are sent: what they can still send, and when they are left.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{Engine, Flow, Input, Peer, Protocol, Running, Runtime, SocketHandle};
use corespun_runtime::{sleep, spawn, stats};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::dial;

const PIECE: usize = 256 << 10;

static RECEIVED_BYTES: AtomicU64 = AtomicU64::new(0);
static PAUSES: AtomicU64 = AtomicU64::new(0);
static STUCK_SENDS: AtomicU64 = AtomicU64::new(0);

/// Sends without end, once it has received anything.
struct Firehose {
    is_open: bool,
    wants_input: bool,
}

impl Protocol for Firehose {
    fn receive(&mut self, _now: Duration, _input: Input<'_>) {
        self.is_open = true;
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if self.is_open {
            out.resize(PIECE, 7);
        }
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn wants_input(&self) -> bool {
        self.wants_input
    }
}

fn start(engine: Engine, wants_input: bool, send_time_max: Duration) -> Running {
    for counter in [&RECEIVED_BYTES, &PAUSES, &STUCK_SENDS] {
        counter.store(0, Ordering::Relaxed);
    }
    let builder = Runtime::builder().engine(engine).shards(1);
    let running = builder.send_time_max(send_time_max).listen(any_port());
    let running = running.start(move |_| {
        spawn(async {
            loop {
                sleep(Duration::from_millis(5)).await;
                let stats = stats();
                RECEIVED_BYTES.store(stats.received_bytes, Ordering::Relaxed);
                PAUSES.store(stats.pauses, Ordering::Relaxed);
                STUCK_SENDS.store(stats.stuck_sends, Ordering::Relaxed);
            }
        });
        Ok(Box::new(move |_: Peer, _: SocketHandle| {
            let is_open = false;
            Box::new(Firehose {
                is_open,
                wants_input,
            }) as Box<dyn Protocol>
        }))
    });
    running.expect("started")
}

fn wait_for(what: &str, reached: impl Fn() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One test for both, since they share the counters.
#[test]
fn deaf_peers() {
    each_engine("deaf_peers_are_held_back", held_back);
    each_engine("deaf_peers_are_left", left);
}

/// While it does not read, a peer may send about as much as it is being sent at once, where the
/// protocol has no use for more.
fn held_back(engine: Engine) {
    let flood = vec![7; 900 << 10];
    for wants_input in [true, false] {
        let running = start(engine, wants_input, Duration::MAX);
        let mut stream = dial(&running.addresses()[0]);
        stream.write_all(b"go").expect("send");
        // Until the buffers of the kernel are full, sends complete at once.
        thread::sleep(Duration::from_millis(200));
        stream
            .write_all(&flood)
            .expect("the kernel's buffers take it");
        let received = || RECEIVED_BYTES.load(Ordering::Relaxed) as usize;
        if wants_input {
            wait_for("all is received", || received() == 2 + flood.len());
            assert_eq!(PAUSES.load(Ordering::Relaxed), 0);
        } else {
            wait_for("a pause", || PAUSES.load(Ordering::Relaxed) > 0);
            thread::sleep(Duration::from_millis(50));
            assert!(received() >= PIECE, "at least as much as the send");
            assert!(received() < 700 << 10, "{} bytes", received());
        }
        running.stop_now();
        running.join().expect("a clean end");
    }
}

/// A send that the peer does not take for long ends the socket; others do not notice.
fn left(engine: Engine) {
    let running = start(engine, true, Duration::from_millis(300));
    let mut deaf = dial(&running.addresses()[0]);
    deaf.write_all(b"go").expect("send");
    let mut good = dial(&running.addresses()[0]);
    good.write_all(b"go").expect("send");
    let mut bytes = vec![0; PIECE];
    let mut read = 0;
    while STUCK_SENDS.load(Ordering::Relaxed) == 0 {
        read += good.read(&mut bytes).expect("others are served");
        assert!(read < 64 << 30, "the deaf peer was never left");
    }
    for _ in 0..100 {
        assert!(good.read(&mut bytes).expect("others are served still") > 0);
    }
    assert_eq!(STUCK_SENDS.load(Ordering::Relaxed), 1);
    drop(deaf);
    running.stop_now();
    running.join().expect("a clean end");
}
