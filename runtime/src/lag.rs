//! Measurement of how long work waits for its shard, made on the shard's own loop.
//!
//! The kernel does not tell how long bytes have waited in their sockets. But each turn takes all
//! bytes that are there. So the bytes that a turn receives have waited at most as long as the
//! previous turn took, and not at all if the kernel had nothing to report when that turn ended.
//! After that, work waits for the rest of the turn and for the tasks that are ready. Blocking calls
//! wait for a thread of their pool.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{clock, context};

/// Inverse weight of one turn in the moving average of poll times.
const POLL_WEIGHT: u64 = 8;

/// Measurements at the start of the current turn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnStart {
    /// Upper bound on the time that bytes of this turn have waited in their sockets.
    pub waited: Duration,
    /// Age of the oldest blocking call that no thread of the pool has started.
    pub blocked: Duration,
    /// Time that the shard has worked in all earlier turns.
    pub busy: Duration,
    /// Time that the shard has waited in the kernel in all earlier turns.
    pub idle: Duration,
}

/// Measurements of one shard. Costs nothing until it is turned on.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    is_on: Cell<bool>,
    began: Cell<Duration>,
    ended: Cell<Duration>,
    /// True if the kernel had something to report when the previous turn ended.
    has_news: Cell<bool>,
    start: Cell<TurnStart>,
    /// Start of this turn's task polls, and their number.
    polling: Cell<(Duration, usize)>,
    /// Moving average of the time of one task poll with its share of the sends, in ns.
    poll_ns: Cell<u64>,
    pub(crate) blocking: Blocking,
}

impl Meter {
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// Records that the shard has woken; `now` is the moment of its turn.
    pub(crate) fn begin_turn(&self, now: Duration) {
        if !self.is_on() {
            return;
        }
        let busy = self.ended.get().saturating_sub(self.began.get());
        let idle = now.saturating_sub(self.ended.get());
        let before = self.start.get();
        self.start.set(TurnStart {
            waited: if self.has_news.get() {
                busy
            } else {
                Duration::ZERO
            },
            blocked: self.blocking.age(now),
            busy: before.busy + busy,
            idle: before.idle + idle,
        });
        self.began.set(now);
    }

    /// Records that the turn starts to poll tasks.
    pub(crate) fn begin_tasks(&self, now: Duration) {
        self.polling.set((now, 0));
    }

    /// Records the number of polls.
    pub(crate) fn end_tasks(&self, polls: usize) {
        self.polling.set((self.polling.get().0, polls));
    }

    /// Records the end of the turn, just before the kernel entry. `has_news` is true if the kernel
    /// has something to report at once.
    pub(crate) fn end_turn(&self, now: Duration, has_news: bool) {
        self.ended.set(now);
        self.has_news.set(has_news);
        let (from, polls) = self.polling.take();
        if polls > 0 {
            let spent = now.saturating_sub(from).as_nanos() as u64 / polls as u64;
            self.poll_ns.set(match self.poll_ns.get() {
                0 => spent,
                average => average - average / POLL_WEIGHT + spent / POLL_WEIGHT,
            });
        }
    }

    /// Returns the time that work processed at `now` has waited, plus the time that it would wait
    /// behind `ready` polls as a task.
    fn lag(&self, now: Duration, ready: usize) -> Duration {
        let elapsed = now.saturating_sub(self.began.get());
        let tasks = Duration::from_nanos(self.poll_ns.get().saturating_mul(ready as u64));
        let here = self.start.get().waited + elapsed + tasks;
        here.max(self.blocking.age(now))
    }
}

/// Calls of a shard that wait for a thread of the blocking pool, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Blocking {
    /// Start times of the waiting calls that are not known to have started.
    waiting: RefCell<VecDeque<Duration>>,
    asked: Cell<u64>,
    /// Number of calls that have started or never will, counted by the pool's threads.
    begun: Arc<AtomicU64>,
}

/// Place of one blocking call in the queue; dropped when the call starts or is cancelled.
pub(crate) struct Place(Arc<AtomicU64>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Blocking {
    /// Adds a call that waits from `now` on.
    pub(crate) fn enter(&self, now: Duration) -> Place {
        self.forget_begun();
        self.waiting.borrow_mut().push_back(now);
        self.asked.set(self.asked.get() + 1);
        Place(Arc::clone(&self.begun))
    }

    /// Returns the age of the oldest call that has not started. The pool starts calls in order.
    fn age(&self, now: Duration) -> Duration {
        self.forget_begun();
        let waiting = self.waiting.borrow();
        let oldest = waiting.front().copied();
        oldest.map_or(Duration::ZERO, |asked| now.saturating_sub(asked))
    }

    fn forget_begun(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return;
        }
        let left = self.asked.get() - self.begun.load(Ordering::Relaxed);
        let gone = waiting.len() - (left as usize).min(waiting.len());
        waiting.drain(..gone);
    }
}

/// Turns on the measurement of waiting times on this shard: see [`lag`]. Costs one clock reading
/// per turn, another in a turn that polls tasks, and on epoll a system call in a turn that then
/// sleeps.
///
/// # Panics
///
/// Outside a shard.
pub fn measure_lag() {
    context::with(|context| {
        let now = clock::now();
        context.meter.began.set(now);
        context.meter.ended.set(now);
        context.meter.is_on.set(true);
    });
}

/// Returns the measurements at the start of this turn; all zero before [`measure_lag`]. Does not
/// read the clock.
///
/// # Panics
///
/// Outside a shard.
pub fn turn_start() -> TurnStart {
    context::with(|context| context.meter.start.get())
}

/// Returns an upper bound on the time that work processed now has waited in its socket and in this
/// turn, plus the time that it would wait as a task behind the tasks that come first. If a call of
/// [`spawn_blocking`](crate::spawn_blocking) has waited longer for its pool, returns that time
/// instead. Reads the clock.
///
/// # Panics
///
/// Outside a shard.
pub fn lag() -> Duration {
    context::with(|context| {
        context
            .meter
            .lag(clock::now(), context.executor.polls_ahead())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn meter() -> Meter {
        let meter = Meter::default();
        meter.is_on.set(true);
        meter
    }

    /// Checks the last of the turns, each as (woken, done, has news), the first at 1000.
    fn check(turns: &[(u64, u64, bool)], waited: u64, busy: u64, idle: u64) {
        let meter = meter();
        meter.began.set(ms(1000));
        meter.ended.set(ms(1000));
        for &(woken, done, has_news) in turns {
            meter.begin_turn(ms(woken));
            meter.end_turn(ms(done), has_news);
        }
        let expected = TurnStart {
            waited: ms(waited),
            blocked: Duration::ZERO,
            busy: ms(busy),
            idle: ms(idle),
        };
        assert_eq!(meter.start.get(), expected, "{turns:?}");
    }

    #[test]
    fn bytes_wait_for_the_turn_before() {
        check(&[(1000, 1010, true), (1010, 1011, true)], 10, 10, 0);
        check(&[(1000, 1010, true), (1012, 1013, true)], 10, 10, 2);
        // What comes when the turn is over, as from a caller that had its reply, has not waited.
        check(&[(1000, 1010, false), (1011, 1012, true)], 0, 10, 1);
        let turns = [(1000, 1010, true), (1010, 1013, true), (1013, 1014, false)];
        check(&turns, 3, 13, 0);
    }

    #[test]
    fn work_waits_for_the_turn_and_the_tasks_before_it() {
        let meter = meter();
        meter.begin_turn(ms(1000));
        meter.begin_tasks(ms(1000));
        meter.end_tasks(10);
        meter.end_turn(ms(1080), true);
        assert_eq!(meter.poll_ns.get(), 8_000_000);
        meter.begin_turn(ms(1080));
        assert_eq!(meter.lag(ms(1080), 0), ms(80));
        assert_eq!(meter.lag(ms(1085), 0), ms(85));
        assert_eq!(meter.lag(ms(1085), 20), ms(245));
        meter.end_turn(ms(1085), true);
        assert_eq!(meter.poll_ns.get(), 8_000_000, "a turn without polls");
        meter.begin_tasks(ms(1085));
        meter.end_tasks(1);
        meter.end_turn(ms(1085), true);
        assert_eq!(meter.poll_ns.get(), 7_000_000, "follows by an eighth");
    }

    #[test]
    fn blocking_calls_wait_until_they_start_or_are_given_up() {
        let meter = meter();
        meter.begin_turn(ms(1000));
        let first = meter.blocking.enter(ms(1000));
        let second = meter.blocking.enter(ms(1005));
        assert_eq!(meter.lag(ms(1010), 0), ms(10));
        drop(first);
        meter.begin_turn(ms(1012));
        assert_eq!(meter.start.get().blocked, ms(7));
        assert_eq!(meter.lag(ms(1012), 0), ms(7));
        drop(second);
        assert_eq!(meter.lag(ms(1013), 0), ms(1));
        drop(meter.blocking.enter(ms(1013)));
        assert_eq!(meter.blocking.age(ms(2000)), Duration::ZERO);
    }
}
