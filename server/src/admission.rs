//! Admission control: settings, and the reasons to refuse a call when a shard is overloaded.
//!
//! Off by default, because only the operator of a server knows how long its clients can wait.

mod controller;
mod gauge;

use std::time::Duration;

pub(crate) use controller::Controller;
pub(crate) use gauge::Gauge;
pub use gauge::Signals;

/// Settings of admission control: the queueing delay above which a shard refuses new calls; see
/// [`Config::admission`](crate::Config::admission).
///
/// A shard is overloaded when the queueing delay of all its work has exceeded `target` for a whole
/// `interval`. A burst does not trigger it; a standing queue does. While overloaded, the shard
/// processes `target` worth of work in each turn. It refuses all further calls with
/// RESOURCE_EXHAUSTED and `grpc-retry-pushback-ms` before it decodes their message. Overload ends
/// when the average delay over an interval is at most half of `target`.
///
/// Independent of overload, a call that has waited past its deadline gets DEADLINE_EXCEEDED and its
/// handler is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub(crate) target: Duration,
    pub(crate) interval: Duration,
    pub(crate) exempt: Vec<String>,
}

impl Default for Admission {
    /// Returns a target of 2 ms and an interval of 100 ms; only the methods of health are exempt.
    fn default() -> Self {
        Self {
            target: Duration::from_millis(2),
            interval: Duration::from_millis(100),
            exempt: Vec::new(),
        }
    }
}

impl Admission {
    /// Returns the settings of [`Admission::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the queueing delay that is acceptable, 2 ms by default. An overloaded shard processes
    /// this much work in a turn, and calls that arrive meanwhile wait for the next turn, so that
    /// calls take up to twice this long. About ten times the cost of one call keeps the shard busy;
    /// a much larger target only adds latency.
    pub fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// Sets the time for which the delay must exceed the target before calls are refused, 100 ms by
    /// default. Choose the length of the longest burst to accept.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Exempts a method, `/package.Service/Method`, or a whole service, `/package.Service/*`, from
    /// refusal. A server does not start if it has no such method.
    pub fn exempt(mut self, method: impl Into<String>) -> Self {
        self.exempt.push(method.into());
        self
    }
}

/// Reason to refuse a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The deadline of the call has passed while it waited.
    Late,
    /// The shard is overloaded; the client may retry after `pushback`.
    Overloaded { pushback: Duration },
    /// The shard holds too many bytes; the client may retry after `pushback`.
    Full { pushback: Duration },
}
