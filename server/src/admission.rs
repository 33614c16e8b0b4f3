//! Whom a shard turns away when it has more to do than it can: settings, and the verdicts.
//!
//! Off unless asked for, since only who runs a server knows how long its callers may wait.

mod controller;
mod gauge;

use std::time::Duration;

pub(crate) use controller::Controller;
pub(crate) use gauge::Gauge;
pub use gauge::Signals;

/// How long work may wait for its shard before new calls are refused; see
/// [`Config::admission`](crate::Config::admission).
///
/// A shard is overloaded once all that comes has waited longer than `target` for a whole
/// `interval`: a burst passes, a queue that stands does not. From then on it takes up a target's
/// worth of work in each turn, and further calls get RESOURCE_EXHAUSTED with
/// `grpc-retry-pushback-ms` before their message is decoded, until the wait of an interval is half
/// the target on average. At any time calls that have waited longer than their callers do get
/// DEADLINE_EXCEEDED instead of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub(crate) target: Duration,
    pub(crate) interval: Duration,
    pub(crate) exempt: Vec<String>,
}

impl Default for Admission {
    /// A target of 2 ms and an interval of 100 ms; no method is exempt but those of health.
    fn default() -> Self {
        Self {
            target: Duration::from_millis(2),
            interval: Duration::from_millis(100),
            exempt: Vec::new(),
        }
    }
}

impl Admission {
    /// As [`Admission::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// How long work may wait for its shard. An overloaded shard takes up so much work in a turn;
    /// what comes meanwhile waits for the next one, so that calls take up to twice as long as this.
    /// Some ten times what a call costs keeps the shard at work; much more only adds waiting.
    pub fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// How long the wait must stay above the target until calls are refused: as long as bursts may
    /// last.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Never refuses calls of a method, `/package.Service/Method`, or of a whole service,
    /// `/package.Service/*`. A server does not start that has no such method.
    pub fn exempt(mut self, method: impl Into<String>) -> Self {
        self.exempt.push(method.into());
        self
    }
}

/// Why a call is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has waited longer than its caller does.
    Late,
    /// The shard is overloaded; when the caller may come again.
    Overloaded { pushback: Duration },
    /// The shard keeps too many bytes; when the caller may come again.
    Full { pushback: Duration },
}
