//! One connection with many tasks, and others beside it.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use corespun_runtime::{
    Engine, Flow, Input, Peer, Protocol, Runtime, SocketHandle, spawn, stats, yield_now,
};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::dial;

/// Tasks that the first byte of a crowd starts, and the CPU time of each poll.
const CROWD: u64 = 150;
const POLL_TIME: Duration = Duration::from_millis(2);
/// Polls of the crowd that another connection's task may wait for: what was under way, what a
/// turn's time admits, and one turn of the crowd.
const POLLS_AHEAD_MAX: u64 = 4;

static CROWD_POLLS: AtomicU64 = AtomicU64::new(0);
/// Turns of the shard from the crowd's first poll to its last.
static CROWD_TURNS: AtomicU64 = AtomicU64::new(0);
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// Starts a crowd of tasks for a `c`, and one task for any other byte.
struct Starter {
    socket: SocketHandle,
    replies: std::rc::Rc<std::cell::Cell<usize>>,
    ended: bool,
}

impl Protocol for Starter {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            self.ended = true;
            return;
        };
        if bytes.contains(&b'c') {
            let first = stats().turns;
            for _ in 0..CROWD {
                spawn(async move {
                    let began = Instant::now();
                    while began.elapsed() < POLL_TIME {
                        std::hint::spin_loop();
                    }
                    CROWD_TURNS.store(stats().turns - first, Ordering::Relaxed);
                    CROWD_POLLS.fetch_add(1, Ordering::Relaxed);
                });
            }
            return;
        }
        let (socket, replies) = (self.socket, self.replies.clone());
        let before = CROWD_POLLS.load(Ordering::Relaxed);
        spawn(async move {
            let ahead = CROWD_POLLS.load(Ordering::Relaxed) - before;
            AHEAD.fetch_max(ahead, Ordering::Relaxed);
            replies.set(replies.get() + 1);
            socket.touch();
        });
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.resize(out.len() + self.replies.take(), b'r');
        if self.ended { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

fn another_connection_is_served(engine: Engine) {
    CROWD_POLLS.store(0, Ordering::Relaxed);
    CROWD_TURNS.store(0, Ordering::Relaxed);
    AHEAD.store(0, Ordering::Relaxed);
    let builder = Runtime::builder().engine(engine).shards(1);
    let running = builder.listen(any_port()).start(|_| {
        Ok(Box::new(|_: Peer, socket: SocketHandle| {
            Box::new(Starter {
                socket,
                replies: std::rc::Rc::default(),
                ended: false,
            }) as Box<dyn Protocol>
        }))
    });
    let running = running.expect("started");
    let mut crowd = dial(&running.addresses()[0]);
    let mut other = dial(&running.addresses()[0]);
    let mut reply = [0];
    // Both are accepted before the crowd comes.
    other.write_all(b"x").expect("send");
    other.read_exact(&mut reply).expect("a reply");
    crowd.write_all(b"c").expect("send");
    while CROWD_POLLS.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    while CROWD_POLLS.load(Ordering::Relaxed) < CROWD {
        other.write_all(b"x").expect("send");
        other.read_exact(&mut reply).expect("a reply");
    }
    let ahead = AHEAD.load(Ordering::Relaxed);
    assert!(ahead <= POLLS_AHEAD_MAX, "{engine}: {ahead} polls ahead");
    let turns = CROWD_TURNS.load(Ordering::Relaxed);
    assert!(
        turns >= CROWD / 3,
        "{engine}: {CROWD} polls in {turns} turns"
    );
    running.stop_now();
    running.join().expect("a clean end");
}

#[test]
fn a_crowd_of_tasks_keeps_no_other_connection_waiting() {
    each_engine(
        "a_crowd_of_tasks_keeps_no_other_connection_waiting",
        another_connection_is_served,
    );
}

#[test]
fn the_main_future_has_its_turns_beside_busy_tasks() {
    each_engine("the_main_future_has_its_turns", |engine| {
        crate::streams::local(engine).block_on(async {
            let busy = spawn(poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            for _ in 0..100 {
                yield_now().await;
            }
            busy.abort();
        });
    });
}
