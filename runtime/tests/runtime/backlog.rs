//! Protocols that leave input for later turns: receiving pauses, and the turns go on meanwhile.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{Engine, Flow, Input, Peer, Protocol, Runtime, SocketHandle};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::dial;

static RECEIVED_BYTES: AtomicU64 = AtomicU64::new(0);
static ADVANCES: AtomicU64 = AtomicU64::new(0);
static CAUGHT_UP: AtomicBool = AtomicBool::new(false);
static ENDED: AtomicBool = AtomicBool::new(false);

/// Is behind from its first byte on until it is told that it is not.
#[derive(Default)]
struct Behind {
    since: Option<Duration>,
    was_behind: bool,
}

impl Protocol for Behind {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                RECEIVED_BYTES.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if !std::mem::replace(&mut self.was_behind, true) {
                    self.since = Some(now);
                }
            }
            Input::End => ENDED.store(true, Ordering::Relaxed),
        }
    }

    fn advance(&mut self, now: Duration) {
        ADVANCES.fetch_add(1, Ordering::Relaxed);
        if self.since.is_some() {
            let caught_up = CAUGHT_UP.load(Ordering::Relaxed);
            self.since = (!caught_up).then_some(now);
        }
    }

    fn transmit(&mut self, _out: &mut Vec<u8>) -> Flow {
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        self.since
    }

    fn has_backlog(&self) -> bool {
        self.since.is_some()
    }
}

fn wait_for(what: &str, reached: impl Fn() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// No send is in flight here at any time: the backlog alone makes the pause.
fn paused_until_caught_up(engine: Engine) {
    for counter in [&RECEIVED_BYTES, &ADVANCES] {
        counter.store(0, Ordering::Relaxed);
    }
    for flag in [&CAUGHT_UP, &ENDED] {
        flag.store(false, Ordering::Relaxed);
    }
    let builder = Runtime::builder().engine(engine).shards(1);
    let running = builder.listen(any_port()).start(|_| {
        Ok(Box::new(|_: Peer, _: SocketHandle| {
            Box::<Behind>::default() as Box<dyn Protocol>
        }))
    });
    let running = running.expect("started");
    let mut stream = dial(&running.addresses()[0]);
    stream.write_all(b"go").expect("send");
    let advances = || ADVANCES.load(Ordering::Relaxed);
    wait_for("turns that do not sleep", || advances() > 100);

    let flood = vec![7; 300 << 10];
    stream
        .write_all(&flood)
        .expect("the kernel's buffers take it");
    stream.half_close();
    let before = advances();
    wait_for("turns that do not sleep", || advances() > before + 1000);
    assert_eq!(
        RECEIVED_BYTES.load(Ordering::Relaxed),
        2,
        "{engine}: paused"
    );

    CAUGHT_UP.store(true, Ordering::Relaxed);
    wait_for("the end", || ENDED.load(Ordering::Relaxed));
    let all = 2 + flood.len() as u64;
    assert_eq!(RECEIVED_BYTES.load(Ordering::Relaxed), all, "{engine}");
    running.stop_now();
    running.join().expect("a clean end");
}

#[test]
fn a_backlog_pauses_the_receive() {
    each_engine("a_backlog_pauses_the_receive", paused_until_caught_up);
}
