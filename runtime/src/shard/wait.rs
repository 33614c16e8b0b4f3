//! Choice of how long the kernel entry of a turn may sleep.

use std::time::Duration;

use super::{Shard, State};
use crate::clock;
use crate::driver::Wait;

/// Number of sockets from which a turn counts as busy; with fewer there is nothing to gain by
/// waiting.
const CROWD_MIN: usize = 8;
/// Number of events that end the wait, however many more may come.
const CROWD_MAX: usize = 64;

impl Shard {
    /// Returns how long this turn may sleep: not at all while there is work left.
    pub(super) fn plan_wait(&self, now: Option<Duration>) -> Wait {
        if self.context.has_work() || self.driver.has_work() {
            return Wait::Poll;
        }
        let mut next = self.context.timers.borrow().next_deadline();
        if let State::Draining { deadline } | State::Cutting { until: deadline } = self.state {
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
        }
        let wait = match next {
            None => Wait::Forever,
            Some(deadline) => match deadline.checked_sub(now.unwrap_or_else(clock::now)) {
                None | Some(Duration::ZERO) => return Wait::Poll,
                Some(span) => Wait::AtMost(span),
            },
        };
        if self.context.mailbox.park() {
            self.coalesce(wait)
        } else {
            Wait::Poll
        }
    }

    /// Lets a busy shard wait for several events, if the coalescing time is set.
    fn coalesce(&self, wait: Wait) -> Wait {
        // When every socket has said something, nobody is left to wait for.
        let crowd = self.sockets.accepted().min(CROWD_MAX);
        let time = self.context.coalesce_time;
        let is_busy = self.flushed.min(crowd) >= CROWD_MIN;
        if time.is_zero() || !is_busy || self.state != State::Running {
            return wait;
        }
        let time = match wait {
            Wait::AtMost(span) => span.min(time),
            _ => time,
        };
        Wait::Several(crowd as u32, time)
    }
}
