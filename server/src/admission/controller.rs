//! Overload detection, computed from reported queueing delays: no clock, no I/O.
//!
//! The signal is that of CoDel (RFC 8289): not the length of the queue, but a delay that stayed
//! above the target for a whole interval, so that a burst is not overload. CoDel's response relies
//! on senders that slow down when one packet is lost, and gRPC clients do not. So an overloaded
//! shard processes a target's worth of work in each turn and refuses the rest. This keeps the delay
//! below twice the target at any load, because the previous turn took no longer than the target.
//! Refusing calls by age instead would leave the shard idle after each stall.

use std::time::Duration;

/// Divisor of the target: overload ends when the average delay over an interval is below that part
/// of it.
const CALM_PART: u32 = 2;
/// Longest retry delay that is sent to clients.
const PUSHBACK_MAX: Duration = Duration::from_secs(10);

/// Overload state of one shard.
#[derive(Debug)]
pub(crate) struct Controller {
    target: Duration,
    interval: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Calm {
        /// Moment since which every turn has ended above the target without a pause; `None` if the
        /// last turn did not.
        late_since: Option<Duration>,
    },
    Overloaded {
        since: Duration,
        window: Window,
    },
}

/// Delays of calls during one interval.
#[derive(Debug)]
struct Window {
    ends: Duration,
    sum: Duration,
    calls: u32,
}

impl Window {
    fn starting(now: Duration, interval: Duration) -> Self {
        Self {
            ends: now.saturating_add(interval),
            sum: Duration::ZERO,
            calls: 0,
        }
    }

    fn mean(&self) -> Duration {
        self.sum.checked_div(self.calls).unwrap_or(Duration::ZERO)
    }
}

impl Controller {
    pub(crate) fn new(target: Duration, interval: Duration) -> Self {
        Self {
            target,
            interval,
            state: State::Calm { late_since: None },
        }
    }

    /// Records the start of a turn with calls at `now`; `longest` is the delay that the last call
    /// of the previous turn had or would have had.
    pub(crate) fn on_turn(&mut self, now: Duration, longest: Duration) {
        match &mut self.state {
            State::Calm { late_since } if longest < self.target => *late_since = None,
            State::Overloaded { window, .. } if now >= window.ends => {
                if window.mean() < self.target / CALM_PART {
                    self.state = State::Calm { late_since: None };
                } else {
                    *window = Window::starting(now, self.interval);
                }
            }
            State::Calm { .. } | State::Overloaded { .. } => {}
        }
    }

    /// Records that the shard slept for `idle` since the last turn with calls. If that is longer
    /// than the target, everything that waits now arrived during the sleep. After a sleep of a
    /// whole interval the recorded delays are discarded.
    pub(crate) fn on_pause(&mut self, idle: Duration) {
        let is_over = match self.state {
            State::Calm { .. } => idle > self.target,
            State::Overloaded { .. } => idle >= self.interval,
        };
        if is_over {
            self.state = State::Calm { late_since: None };
        }
    }

    /// Returns true if a call may run that is reached at `now` after a delay of `wait`; `behind` is
    /// the part of the delay caused by earlier work of the same turn.
    pub(crate) fn admits(&mut self, now: Duration, wait: Duration, behind: Duration) -> bool {
        if let State::Calm { late_since } = &mut self.state
            && wait >= self.target
        {
            let since = *late_since.get_or_insert(now);
            // Checked within a turn too, because a turn with many calls can be long.
            if now.saturating_sub(since) >= self.interval {
                let window = Window::starting(now, self.interval);
                self.state = State::Overloaded { since, window };
            }
        }
        let State::Overloaded { window, .. } = &mut self.state else {
            return true;
        };
        window.sum = window.sum.saturating_add(wait);
        window.calls = window.calls.saturating_add(1);
        behind <= self.target
    }

    /// Returns the retry delay for a client refused at `now`: as long as the overload has lasted so
    /// far, so that retries do not prolong it.
    pub(crate) fn pushback(&self, now: Duration) -> Duration {
        let lasted = match self.state {
            State::Calm { .. } => Duration::ZERO,
            State::Overloaded { since, .. } => now.saturating_sub(since),
        };
        lasted.clamp(self.interval.min(PUSHBACK_MAX), PUSHBACK_MAX)
    }

    pub(crate) fn is_overloaded(&self) -> bool {
        matches!(self.state, State::Overloaded { .. })
    }
}

#[cfg(test)]
mod tests;
