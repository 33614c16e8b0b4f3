//! Tests of the pool alone: its limits, its order, and the end of its threads.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::{Job, Pool};

const PATIENCE: Duration = Duration::from_secs(20);

fn pool(threads_max: usize, idle_time: Duration) -> &'static Pool {
    Box::leak(Box::new(Pool::new(threads_max, idle_time)))
}

/// Jobs that hold their thread until released, and report that they run.
struct Gate {
    let_go: Sender<()>,
    started: Receiver<()>,
}

fn gated() -> (Job, Gate) {
    let (let_go, wait) = channel::<()>();
    let (start, started) = channel();
    let job = Box::new(move || {
        start.send(()).expect("a listening test");
        let _ = wait.recv();
    });
    (job, Gate { let_go, started })
}

impl Gate {
    fn has_started(&self) {
        self.started.recv_timeout(PATIENCE).expect("a started job");
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn threads_are_bounded_and_jobs_wait_in_order() {
    let pool = pool(2, PATIENCE);
    let (jobs, gates): (Vec<_>, Vec<_>) = (0..2).map(|_| gated()).unzip();
    for job in jobs {
        pool.submit(job);
    }
    gates.iter().for_each(Gate::has_started);
    let (say, said) = channel();
    let tickets: Vec<_> = (0..4)
        .map(|number| {
            let say = say.clone();
            pool.submit(Box::new(move || {
                say.send(number).expect("a listening test")
            }))
        })
        .collect();
    assert_eq!(pool.lock().queue.len(), 4, "one more than threads waits");
    pool.cancel(tickets[1].expect("it waits"));
    assert_eq!(pool.lock().queue.len(), 3, "a cancelled job leaves at once");
    // One thread goes on, so that the order of the jobs is the order of what they say.
    gates[0].let_go.send(()).expect("a waiting job");
    let order: Vec<i32> = (0..3)
        .map(|_| said.recv_timeout(PATIENCE).expect("said"))
        .collect();
    assert_eq!(order, [0, 2, 3]);
    assert_eq!(pool.lock().threads, 2);
}

#[test]
fn the_last_idle_thread_is_used_first_and_the_others_end() {
    let pool = pool(8, Duration::from_millis(50));
    let (jobs, gates): (Vec<_>, Vec<_>) = (0..4).map(|_| gated()).unzip();
    for job in jobs {
        pool.submit(job);
    }
    gates.iter().for_each(Gate::has_started);
    assert_eq!(pool.lock().threads, 4);
    drop(gates);
    // Jobs one after another keep a single thread busy.
    eventually("three threads end", || {
        let (done, wait) = channel();
        pool.submit(Box::new(move || done.send(()).expect("a listening test")));
        wait.recv_timeout(PATIENCE).expect("a done job");
        pool.lock().threads <= 1
    });
    eventually("the last one ends", || pool.lock().threads == 0);
    let (done, wait) = channel();
    pool.submit(Box::new(move || done.send(()).expect("a listening test")));
    wait.recv_timeout(PATIENCE).expect("a new thread does it");
}

#[test]
fn a_panic_ends_its_job_only() {
    let pool = pool(1, PATIENCE);
    pool.submit(Box::new(|| panic!("as told")));
    let (done, wait) = channel();
    pool.submit(Box::new(move || done.send(()).expect("a listening test")));
    wait.recv_timeout(PATIENCE).expect("the thread goes on");
    assert_eq!(pool.lock().threads, 1);
}
