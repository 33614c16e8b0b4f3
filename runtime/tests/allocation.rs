//! Test that a warm shard allocates nothing. A program of its own, because it counts every
//! allocation.

#[path = "kit/engines.rs"]
mod engines;
#[path = "kit/service.rs"]
mod service;

use std::alloc::System;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use corespun_runtime::{
    Flow, Input, LocalConfig, LocalShard, Protocol, Reservation, Runtime, block_on, connect,
    give_buffer, sleep, take_buffer, yield_now,
};
use engines::each_engine;
use service::{Manner, any_port, start_echo};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// Sends a message for every echo that came back, and counts them.
struct PingPong {
    rounds: Rc<Cell<u64>>,
    owed: bool,
}

impl Protocol for PingPong {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        if let Input::Bytes(_) = input {
            self.rounds.set(self.rounds.get() + 1);
            self.owed = true;
        }
    }
    fn advance(&mut self, _now: Duration) {}
    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if std::mem::take(&mut self.owed) {
            out.extend_from_slice(&[7; 64]);
        }
        Flow::Open
    }
    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// One test only, so that no other thread allocates meanwhile.
#[test]
fn a_warm_shard_allocates_nothing() {
    each_engine("echoing", |engine| {
        let builder = Runtime::builder().engine(engine).shards(1);
        let running = start_echo(builder, &[any_port()], Manner::default());
        let mut shard = LocalShard::new(LocalConfig { engine, cpu: None }).expect("a shard");
        let spent = shard.block_on(async {
            let rounds = Rc::new(Cell::new(0));
            for _ in 0..8 {
                let ping = PingPong {
                    rounds: rounds.clone(),
                    owed: true,
                };
                let make = |_| -> Box<dyn Protocol> { Box::new(ping) };
                connect(&running.addresses()[0], make)
                    .await
                    .expect("connected");
            }
            while rounds.get() < 2000 {
                sleep(Duration::from_millis(1)).await;
            }
            let before = allocations();
            let target = rounds.get() + 10_000;
            while rounds.get() < target {
                sleep(Duration::from_millis(1)).await;
            }
            allocations() - before
        });
        // Not exactly none: a batch larger than any before makes a list or the pool grow once.
        assert!(
            spent < 10,
            "{spent} allocations in 10000 round trips on {engine}"
        );
    });
    reservations();
    buffers();
}

fn reservations() {
    block_on(async {
        let mut future = Box::pin(poll_fn(|_| Poll::<()>::Ready(())));
        let mut thousand = || {
            let before = allocations();
            for _ in 0..1000 {
                let reservation = Reservation::take();
                let mut cx = Context::from_waker(reservation.waker());
                // Woken without being kept: that needs no new waker either.
                reservation.waker().wake_by_ref();
                assert!(future.as_mut().poll(&mut cx).is_ready());
            }
            allocations() - before
        };
        assert!(thousand() > 0, "the first one makes the waker");
        yield_now().await;
        assert_eq!(thousand(), 0);
        yield_now().await;
        let reservation = Reservation::take();
        let kept = reservation.waker().clone();
        drop(reservation);
        let again = Reservation::take();
        assert!(
            !again.waker().will_wake(&kept),
            "a waker that is kept is not used again"
        );
    })
    .expect("a shard");
}

fn buffers() {
    give_buffer(Vec::with_capacity(4096));
    let before = allocations();
    for _ in 0..1000 {
        let mut buffer = take_buffer();
        buffer.extend_from_slice(&[1; 4096]);
        give_buffer(buffer);
    }
    assert_eq!(allocations(), before);
}
