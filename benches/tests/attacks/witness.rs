//! Well-behaved client: steady unary calls on its own connection, as an open loop.
//!
//! Latency is measured from the intended start of a call, so that a call counts as late if it waits
//! behind a busy server, or for its turn on a busy client.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corespun::{Channel, Request};
use corespun_runtime::{Engine, LocalConfig, LocalShard, now, sleep_until, spawn};

use super::place::go_first;
use super::user::{UserRequest, user_service_methods::GET_USER};

/// Longest wait for the last call of a window.
const PATIENCE: Duration = Duration::from_secs(10);

/// Call with its intended start, and its outcome once it is done.
struct Call {
    start: Instant,
    done: Option<(Duration, Result<(), String>)>,
}

/// Thread of the client.
pub struct Witness {
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Measurements of the client during a span of time.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Latencies of all calls.
    pub latencies: Vec<Duration>,
    /// Errors of failed calls.
    pub failures: Vec<String>,
}

impl Window {
    /// Adds the measurements of another window.
    pub fn join(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.failures.extend(other.failures);
    }

    /// Returns the 99th percentile of the latencies.
    pub fn p99(&self) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 99).div_ceil(100);
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

impl Witness {
    /// Starts to call `server` once in each `interval`, on `cpu`.
    pub fn start(server: SocketAddr, cpu: Option<usize>, interval: Duration) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (record, end) = (Arc::clone(&calls), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            go_first();
            let engine = Engine::Epoll;
            let mut shard = LocalShard::new(LocalConfig { engine, cpu }).expect("a shard");
            let calls = call_steadily(server, interval, record, end);
            shard.block_on(calls);
        });
        Self {
            calls,
            stop,
            thread: Some(thread),
        }
    }

    /// Waits until `count` calls have ended.
    pub fn wait_for_calls(&self, count: usize) {
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            let calls = self.calls.lock().expect("the witness panicked");
            if calls.iter().filter(|call| call.done.is_some()).count() >= count {
                return;
            }
            drop(calls);
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the good client has not made {count} calls in {PATIENCE:?}");
    }

    /// Returns the measurements of the calls with an intended start between two moments.
    pub fn window(&self, from: Instant, to: Instant) -> Window {
        let asked = Instant::now();
        loop {
            let late = asked.elapsed() > PATIENCE;
            if let Some(window) = self.try_window(from, to, late) {
                return window;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns `None` while a call is in progress, unless it is late.
    fn try_window(&self, from: Instant, to: Instant, late: bool) -> Option<Window> {
        let calls = self.calls.lock().expect("the witness panicked");
        // A call that was due but could not begin yet belongs to the window as well.
        if !late && calls.last().is_none_or(|call| call.start < to) {
            return None;
        }
        let mut window = Window::default();
        // Calls stand in the order of their starts, and the client waits for the lock.
        let first = calls.partition_point(|call| call.start < from);
        for call in calls[first..].iter().take_while(|call| call.start < to) {
            match &call.done {
                Some((latency, outcome)) => {
                    window.latencies.push(*latency);
                    window.failures.extend(outcome.as_ref().err().cloned());
                }
                None if late => window.failures.push(format!("no answer in {PATIENCE:?}")),
                None => return None,
            }
        }
        Some(window)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported.
            let _ = thread.join();
        }
    }
}

async fn call_steadily(
    server: SocketAddr,
    interval: Duration,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Arc<AtomicBool>,
) {
    let channel = Channel::connect(&server.to_string()).await;
    let channel = channel.expect("failed to reach the server");
    let origin = (Instant::now(), now());
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = interval * number;
        sleep_until(origin.1 + due).await;
        let start = origin.0 + due;
        let index = {
            let mut calls = calls.lock().expect("nobody panics with the lock");
            calls.push(Call { start, done: None });
            calls.len() - 1
        };
        let (channel, calls) = (channel.clone(), Arc::clone(&calls));
        spawn(async move {
            let request = Request::new(UserRequest { id: 1 });
            let reply = channel.unary(GET_USER, request).await;
            let outcome = reply.map(|_| ()).map_err(|status| status.to_string());
            let done = Some((start.elapsed(), outcome));
            calls.lock().expect("nobody panics with the lock")[index].done = done;
        });
    }
}
