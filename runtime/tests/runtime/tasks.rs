//! Tasks, wakers and time, on both engines.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{
    Reservation, block_on, now, sleep, sleep_until, spawn, spawn_blocking, stats, timeout,
    turn_time, yield_now,
};

use crate::collector::until;
use crate::engines::each_engine;
use crate::streams::local;

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_wake_from_another_thread_ends_a_blocked_turn() {
    each_engine("a_wake_from_another_thread", |engine| {
        let shared: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
        let theirs = shared.clone();
        let thread = thread::spawn(move || {
            for _ in 0..50 {
                thread::sleep(MILLISECOND);
                let waker = {
                    let mut shared = theirs.lock().expect("unpoisoned");
                    shared.0 = true;
                    shared.1.take()
                };
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        local(engine).block_on(async {
            // Woken in a task and in the main future, many times over.
            for _ in 0..20 {
                let shared = shared.clone();
                let woken = spawn(poll_fn(move |cx| {
                    let mut shared = shared.lock().expect("unpoisoned");
                    if std::mem::take(&mut shared.0) {
                        return Poll::Ready(());
                    }
                    shared.1 = Some(cx.waker().clone());
                    Poll::Pending
                }));
                timeout(Duration::from_secs(10), woken)
                    .await
                    .expect("woken in time")
                    .expect("no panic");
            }
        });
        thread.join().expect("the thread ends");
    });
}

#[test]
fn sleeps_never_end_early_and_not_much_late() {
    each_engine("sleeps_never_end_early", |engine| {
        local(engine).block_on(async {
            for microseconds in [1, 50, 300, 1000, 2500, 20_000] {
                let span = Duration::from_micros(microseconds);
                let began = Instant::now();
                sleep(span).await;
                let took = began.elapsed();
                assert!(took >= span, "{took:?} is less than {span:?}");
                // Generous, as other tests share the CPU; a broken timer is late by far more.
                assert!(took < span + Duration::from_millis(100), "{took:?}");
            }
            let deadline = now() + MILLISECOND;
            sleep_until(deadline).await;
            assert!(now() >= deadline && turn_time() >= deadline);
            sleep(Duration::ZERO).await;
        });
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let order = Rc::new(RefCell::new(Vec::new()));
    block_on(async {
        let mut handles = Vec::new();
        for span in [9, 3, 6, 1, 12] {
            let order = order.clone();
            handles.push(spawn(async move {
                sleep(span * MILLISECOND).await;
                order.borrow_mut().push(span);
            }));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    })
    .expect("a shard");
    assert_eq!(*order.borrow(), [1, 3, 6, 9, 12]);
}

#[test]
fn a_timeout_ends_what_takes_too_long_and_nothing_else() {
    block_on(async {
        let error = timeout(2 * MILLISECOND, pending::<()>()).await;
        let error = error.expect_err("never ready");
        assert_eq!(error.to_string(), "failed to finish within 2ms");
        let ready = timeout(Duration::ZERO, async { 7 }).await;
        assert_eq!(
            ready,
            Ok(7),
            "a ready future wins over a timeout that is over"
        );
    })
    .expect("a shard");
}

#[test]
fn a_panic_ends_its_task_and_not_the_shard() {
    each_engine("a_panic_ends_its_task", |engine| {
        local(engine).block_on(async {
            let panicking = spawn(async { assert!(now().is_zero(), "on purpose") });
            let detached = spawn(async { panic!("detached, on purpose") });
            drop(detached);
            let healthy = spawn(async { 42 });
            let error = panicking.await.expect_err("it panicked");
            assert!(error.is_panic());
            assert_eq!(
                error.to_string(),
                "failed to join: the task panicked: on purpose"
            );
            assert_eq!(healthy.await.expect("unharmed"), 42);
            assert_eq!(stats().panics, 2);
        });
    });
}

/// Notes its own drop.
struct Tell(Rc<Cell<bool>>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn an_aborted_task_is_dropped_at_once() {
    block_on(async {
        let dropped = Rc::new(Cell::new(false));
        let tell = Tell(dropped.clone());
        let task = spawn(async move {
            let _tell = tell;
            pending::<()>().await;
        });
        yield_now().await;
        assert!(!dropped.get());
        task.abort();
        assert!(dropped.get());
        assert!(task.is_finished());
        let error = task.await.expect_err("aborted");
        assert_eq!(error.to_string(), "failed to join: the task was aborted");
    })
    .expect("a shard");
}

#[test]
fn a_task_may_abort_itself_and_is_dropped_after_that_poll() {
    block_on(async {
        let dropped = Rc::new(Cell::new(false));
        let own: Rc<RefCell<Option<corespun_runtime::JoinHandle<()>>>> = Rc::default();
        let (tell, handle, seen) = (Tell(dropped.clone()), own.clone(), dropped.clone());
        let task = spawn(async move {
            let _tell = tell;
            handle.borrow().as_ref().expect("handed over").abort();
            assert!(!seen.get(), "not while it is being polled");
            pending::<()>().await;
        });
        *own.borrow_mut() = Some(task);
        until("the abort", || dropped.get()).await;
    })
    .expect("a shard");
}

#[test]
fn tasks_left_over_are_dropped_inside_their_shard() {
    let dropped = Rc::new(Cell::new(false));
    let tell = Tell(dropped.clone());
    let mut shard = local(corespun_runtime::Engine::Epoll);
    shard.block_on(async {
        spawn(async move {
            let _tell = tell;
            sleep(Duration::from_secs(1000)).await;
        });
        yield_now().await;
    });
    assert!(!dropped.get(), "tasks rest between two runs");
    drop(shard);
    assert!(dropped.get());
}

#[test]
fn yielding_lets_sockets_and_timers_go_first() {
    block_on(async {
        let done = Rc::new(Cell::new(false));
        let theirs = done.clone();
        spawn(async move {
            sleep(5 * MILLISECOND).await;
            theirs.set(true);
        });
        let limit = now() + Duration::from_secs(10);
        while !done.get() {
            assert!(now() < limit, "the timer starved");
            yield_now().await;
        }
    })
    .expect("a shard");
}

#[test]
fn blocking_work_goes_elsewhere() {
    block_on(async {
        let here = thread::current().id();
        let there = spawn_blocking(move || {
            thread::sleep(MILLISECOND);
            thread::current().id()
        });
        assert_ne!(there.await, here);
        let panics = spawn(spawn_blocking(|| panic!("as told")));
        let error = panics.await.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(
            error.to_string(),
            "failed to join: the task panicked: as told"
        );
    })
    .expect("a shard");
}

#[test]
fn a_reservation_is_spawned_only_when_pending() {
    block_on(async {
        let woken = Rc::new(Cell::new(0));
        let waker_place: Rc<RefCell<Option<Waker>>> = Rc::default();
        let (count, place) = (woken.clone(), waker_place.clone());
        let mut future = Box::pin(async move {
            poll_fn(|cx| {
                count.set(count.get() + 1);
                *place.borrow_mut() = Some(cx.waker().clone());
                if count.get() < 3 {
                    Poll::Pending
                } else {
                    Poll::Ready("done")
                }
            })
            .await
        });
        let reservation = Reservation::take();
        let mut cx = Context::from_waker(reservation.waker());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let handle = reservation.spawn(future);
        yield_now().await;
        assert_eq!(woken.get(), 1, "not polled again before it is woken");
        waker_place.borrow_mut().take().expect("kept").wake();
        until("the second poll", || woken.get() == 2).await;
        // From another thread this time.
        let waker = waker_place.borrow_mut().take().expect("kept again");
        thread::spawn(move || waker.wake());
        assert_eq!(handle.await.expect("no panic"), "done");
    })
    .expect("a shard");
}

#[test]
fn a_wake_between_the_first_poll_and_the_spawn_is_not_lost() {
    block_on(async {
        for yields in [0, 1, 3] {
            let mut first = true;
            let mut future = Box::pin(poll_fn(move |cx| {
                if std::mem::take(&mut first) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            }));
            let reservation = Reservation::take();
            let mut cx = Context::from_waker(reservation.waker());
            assert!(future.as_mut().poll(&mut cx).is_pending());
            for _ in 0..yields {
                yield_now().await;
            }
            let handle = reservation.spawn(future);
            timeout(Duration::from_secs(5), handle)
                .await
                .expect("the wake was kept")
                .expect("no panic");
        }
    })
    .expect("a shard");
}

#[test]
fn a_dropped_reservation_leaves_the_next_one_as_it_should_be() {
    type Use = fn(&Reservation) -> Option<Waker>;
    let uses: [Use; 3] = [
        |_| None,
        |reservation| Some(reservation.waker().clone()),
        |reservation| {
            reservation.waker().wake_by_ref();
            None
        },
    ];
    block_on(async move {
        for used in uses {
            let reservation = Reservation::take();
            let kept = used(&reservation);
            drop(reservation);
            yield_now().await;
            let polls = Rc::new(Cell::new(0));
            let count = polls.clone();
            let mut pause = Box::pin(sleep(Duration::from_millis(20)));
            let next = spawn(poll_fn(move |cx| {
                count.set(count.get() + 1);
                pause.as_mut().poll(cx)
            }));
            yield_now().await;
            if let Some(waker) = kept {
                waker.wake();
            }
            yield_now().await;
            assert_eq!(polls.get(), 1, "the waker of another wakes it");
            let outcome = timeout(Duration::from_secs(5), next).await;
            outcome.expect("its own wake comes").expect("no panic");
        }
    })
    .expect("a shard");
}

#[test]
fn a_stale_waker_wakes_nobody_else() {
    block_on(async {
        let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
        let place = kept.clone();
        spawn(poll_fn(move |cx| {
            *place.borrow_mut() = Some(cx.waker().clone());
            Poll::Ready(())
        }))
        .await
        .expect("no panic");
        let polls = Rc::new(Cell::new(0));
        let count = polls.clone();
        let _next = spawn(poll_fn(move |_| {
            count.set(count.get() + 1);
            Poll::<()>::Pending
        }));
        yield_now().await;
        assert_eq!(polls.get(), 1);
        kept.borrow_mut().take().expect("kept").wake();
        yield_now().await;
        assert_eq!(polls.get(), 1, "the slot's new task was not woken");
    })
    .expect("a shard");
}

#[test]
fn many_tasks_share_a_turn_with_the_main_future() {
    block_on(async {
        let done = Rc::new(Cell::new(0));
        for _ in 0..5000 {
            let done = done.clone();
            spawn(async move {
                yield_now().await;
                done.set(done.get() + 1);
            });
        }
        until("all tasks", || done.get() == 5000).await;
    })
    .expect("a shard");
}

#[test]
#[should_panic(expected = "outside a shard")]
fn spawning_outside_a_shard_says_so() {
    drop(spawn(async {}));
}

#[test]
#[should_panic(expected = "already runs a shard")]
fn shards_do_not_nest() {
    let _ = block_on(async { block_on(async {}) });
}

#[test]
fn a_borrowing_main_future_is_fine() {
    let mut text = String::from("main");
    let length = block_on(async {
        text.push_str(" future");
        pin!(yield_now()).await;
        text.len()
    });
    assert_eq!(length.expect("a shard"), text.len());
}
