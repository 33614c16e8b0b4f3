//! When a shard is overloaded, judged by the waits that it is told of: no clock, no I/O.
//!
//! CoDel's signal (RFC 8289): not how much waits but that it has waited too long for a whole
//! interval, so that a burst is no overload. Its answer is for senders that slow down when one
//! packet is lost; callers do not. So here an overloaded shard takes up a target's worth of work
//! in each turn and refuses the rest, which holds the wait at twice the target at any load, for
//! the turn before is no longer. Refusing by age instead would leave it idle after each stall.

use std::time::Duration;

/// Overload is over when the wait is so small a part of the target, on average over an interval.
const CALM_PART: u32 = 2;
/// The longest time that callers are asked to stay away.
const PUSHBACK_MAX: Duration = Duration::from_secs(10);

/// The judgement on one shard.
#[derive(Debug)]
pub(crate) struct Controller {
    target: Duration,
    interval: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Calm {
        /// Since when every turn has ended above the target, with no pause in between.
        late_since: Option<Duration>,
    },
    Overloaded {
        since: Duration,
        window: Window,
    },
}

/// What calls would have waited, over one interval.
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

    /// A turn with calls begins at `now`; the last call of the one before would have waited
    /// `longest`.
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

    /// The shard has slept for so long since the last turn with calls. When that is longer than the
    /// target, what waits now has come since; after an interval of it nothing is left to judge by.
    pub(crate) fn on_pause(&mut self, idle: Duration) {
        let is_over = match self.state {
            State::Calm { .. } => idle > self.target,
            State::Overloaded { .. } => idle >= self.interval,
        };
        if is_over {
            self.state = State::Calm { late_since: None };
        }
    }

    /// Whether a call is admitted that is come to at `now` and has waited for `wait`, of which
    /// `behind` is for what its shard does first in this turn.
    pub(crate) fn admits(&mut self, now: Duration, wait: Duration, behind: Duration) -> bool {
        if let State::Calm { late_since } = &mut self.state
            && wait >= self.target
        {
            let since = *late_since.get_or_insert(now);
            // Also in the midst of a turn, which may go on for long when calls are many.
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

    /// When a caller refused at `now` may come again: after as long again as the overload has
    /// lasted, so that retries do not keep it going.
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
