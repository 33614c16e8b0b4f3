//! Shared limits of the connections of a shard: queueing delay and memory.

mod memory;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use memory::Seat;

use self::memory::Memory;
use crate::admission::{Gauge, Refusal, Signals};
use crate::config::{Config, SHARD_BYTES_MAX};
use crate::overload_stats::OverloadCounts;

/// Number of different retry delays, assigned in turn. They spread the retries of clients that were
/// refused together. Step *n* adds *n* / [`SPREAD_PART`] of the delay.
const SPREAD: u32 = 8;
const SPREAD_PART: u32 = 16;
/// Retry delay of calls that are refused for lack of memory, before it is spread.
const FULL_PUSHBACK: Duration = Duration::from_millis(250);

/// Limits of one shard: the delay of its work, and the bytes that its connections hold.
///
/// Has no lock and no atomic: all users are on one thread.
#[derive(Debug)]
pub struct Valve {
    gauge: Option<RefCell<Gauge>>,
    memory: Memory,
    refused: Cell<u32>,
    counts: Arc<OverloadCounts>,
}

impl Valve {
    /// Creates the limits of the current shard. With admission control in `config`, the shard
    /// measures queueing delays from here on.
    ///
    /// # Panics
    ///
    /// Outside a shard, if `config` has [`Admission`](crate::Admission).
    pub fn new(config: &Config) -> Rc<Self> {
        Self::counting_in(config, Arc::default())
    }

    /// Creates the limits of a shard whose queueing delays come from `signals`.
    pub fn with_signals(config: &Config, signals: Signals) -> Rc<Self> {
        Rc::new(Self::build(config, signals, Arc::default()))
    }

    /// Creates the limits of the current shard, with counts that other threads read.
    pub(crate) fn counting_in(config: &Config, counts: Arc<OverloadCounts>) -> Rc<Self> {
        if config.admission.is_some() {
            corespun_runtime::measure_lag();
        }
        Rc::new(Self::build(config, Signals::SHARD, counts))
    }

    fn build(config: &Config, signals: Signals, counts: Arc<OverloadCounts>) -> Self {
        let gauge = config.admission.as_ref();
        Self {
            gauge: gauge.map(|settings| RefCell::new(Gauge::new(settings, signals))),
            // One request of the largest size must fit beside its reply.
            memory: Memory::new(
                config
                    .shard_bytes_max
                    .unwrap_or(SHARD_BYTES_MAX)
                    .max(config.message_bytes_max.saturating_mul(2)),
                config.message_bytes_max,
            ),
            refused: Cell::new(0),
            counts,
        }
    }

    /// Returns the reason to refuse the call that is reached next in the turn of `now`, or `None`
    /// if it may run.
    #[inline(always)]
    pub(crate) fn refuse(&self, now: Duration, deadline: Option<Duration>) -> Option<Refusal> {
        if self.is_full() {
            return Some(self.refuse_full());
        }
        let gauge = self.gauge.as_ref()?;
        self.refuse_waiting(&mut gauge.borrow_mut(), now, deadline)
    }

    #[cold]
    fn refuse_full(&self) -> Refusal {
        self.counts.full.increment();
        let pushback = self.spread(FULL_PUSHBACK);
        Refusal::Full { pushback }
    }

    #[inline(never)]
    fn refuse_waiting(
        &self,
        gauge: &mut Gauge,
        now: Duration,
        deadline: Option<Duration>,
    ) -> Option<Refusal> {
        let wait = gauge.wait(now);
        if deadline.is_some_and(|deadline| deadline.saturating_sub(now) <= wait) {
            self.counts.late.increment();
            return Some(Refusal::Late);
        }
        let was_overloaded = gauge.controller.is_overloaded();
        let admitted = gauge.admits();
        if gauge.controller.is_overloaded() && !was_overloaded {
            self.counts.episodes.increment();
            tracing::warn!(?wait, "overloaded: calls are refused");
        }
        if admitted {
            return None;
        }
        self.counts.overloaded.increment();
        let pushback = self.spread(gauge.controller.pushback(now));
        Some(Refusal::Overloaded { pushback })
    }

    fn spread(&self, pushback: Duration) -> Duration {
        let nth = self.refused.get();
        self.refused.set(nth.wrapping_add(1));
        pushback + pushback * (nth % SPREAD) / SPREAD_PART
    }

    /// Returns the bytes that the connections of the shard hold: incoming requests, and replies
    /// that are not fully sent.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Returns true if the connections hold more than flow control can hold back.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.memory.is_over()
    }

    /// Counts a call that was ended to free memory of the shard.
    pub(crate) fn note_shed(&self) {
        self.counts.shed.increment();
    }
}
