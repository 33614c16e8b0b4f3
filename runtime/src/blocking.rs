//! Thread pool for blocking work: threads start when all are busy, and end when idle for a while.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cpu;

/// Largest number of threads; further jobs wait for one of them.
const THREADS_MAX: usize = 500;
/// Idle time after which a thread ends.
const IDLE_TIME: Duration = Duration::from_secs(2);

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Thread pool of the process.
pub(crate) static POOL: Pool = Pool::new(THREADS_MAX, IDLE_TIME);

/// Pool with a limited number of threads, and the jobs that wait for one.
///
/// Every waiting job belongs to a future that has not been dropped, so the queue is no longer than
/// the number of such futures.
pub(crate) struct Pool {
    state: Mutex<State>,
    threads_max: usize,
    idle_time: Duration,
}

struct State {
    /// Waiting jobs by ticket, oldest first.
    queue: BTreeMap<u64, Job>,
    next_ticket: u64,
    threads: usize,
    /// Idle threads. The last to become idle gets the next job, so that under a lower load the
    /// others reach their idle time.
    idle: Vec<Arc<Seat>>,
}

/// Slot in which an idle thread gets its next job.
#[derive(Default)]
struct Seat {
    job: Mutex<Option<Job>>,
    given: Condvar,
}

impl Pool {
    const fn new(threads_max: usize, idle_time: Duration) -> Self {
        let state = State {
            queue: BTreeMap::new(),
            next_ticket: 0,
            threads: 0,
            idle: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            threads_max,
            idle_time,
        }
    }

    /// Runs `job` on an idle thread or a new one. Returns the ticket of a job that may have to
    /// wait, for [`cancel`](Self::cancel).
    ///
    /// If the system permits no thread at all, the job runs on the calling thread.
    pub(crate) fn submit(&'static self, job: Job) -> Option<u64> {
        let mut state = self.lock();
        if let Some(seat) = state.idle.pop() {
            // Under the lock of the state: a seat that is not in the list has its job.
            *lock(&seat.job) = Some(job);
            drop(state);
            seat.given.notify_one();
            return None;
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.insert(ticket, job);
        if state.threads < self.threads_max {
            state.threads += 1;
            drop(state);
            self.start_thread(ticket);
        }
        Some(ticket)
    }

    /// Drops a job that has not started.
    pub(crate) fn cancel(&self, ticket: u64) {
        let job = self.lock().queue.remove(&ticket);
        // What the job owns may take long to drop, so the lock is free again.
        drop(job);
    }

    fn start_thread(&'static self, ticket: u64) {
        let thread = thread::Builder::new().name("blocking".to_owned());
        if let Err(error) = thread.spawn(|| self.serve()) {
            self.do_without(ticket, &error);
        }
    }

    #[cold]
    fn do_without(&self, ticket: u64, error: &io::Error) {
        let mut state = self.lock();
        state.threads -= 1;
        let threads = state.threads;
        // A thread that is there takes the job before it may end.
        let job = match threads {
            0 => state.queue.remove(&ticket),
            _ => None,
        };
        drop(state);
        tracing::warn!(%error, threads, "failed to start a thread for blocking work");
        if let Some(job) = job {
            run(job);
        }
    }

    /// Runs jobs on the current thread until it has been idle for too long.
    fn serve(&self) {
        cpu::unpin();
        while let Some(job) = self.next() {
            run(job);
        }
    }

    /// Waits for a job. Returns `None` if the thread has been idle for too long.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        if let Some((_, job)) = state.queue.pop_first() {
            return Some(job);
        }
        let seat = Arc::new(Seat::default());
        state.idle.push(seat.clone());
        drop(state);
        let waited = seat
            .given
            .wait_timeout_while(lock(&seat.job), self.idle_time, |job| job.is_none());
        let (mut job, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if job.is_some() {
            return job.take();
        }
        drop(job);
        self.leave(&seat)
    }

    /// Removes an idle thread from the list. Returns a job that arrived at the last moment.
    fn leave(&self, seat: &Arc<Seat>) -> Option<Job> {
        let mut state = self.lock();
        let place = state.idle.iter().position(|idle| Arc::ptr_eq(idle, seat));
        let Some(place) = place else {
            return lock(&seat.job).take();
        };
        state.idle.remove(place);
        state.threads -= 1;
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a job. If it panics, the panic hook reports that and the thread continues.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests;
