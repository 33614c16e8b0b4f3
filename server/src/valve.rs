//! What the connections of a shard share, so that together they stay within its time and memory.

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

/// Callers that are refused together are told different times, so that they do not come back
/// together: so many, spread over as many parts of the first.
const SPREAD: u32 = 8;
const SPREAD_PART: u32 = 16;
/// When callers may come again whom a shard without room has refused.
const FULL_PUSHBACK: Duration = Duration::from_millis(250);

/// One for each shard: how long its work waits, and how many bytes its connections keep.
///
/// Neither lock nor atomic: all who share it are on one thread.
#[derive(Debug)]
pub struct Valve {
    gauge: Option<RefCell<Gauge>>,
    memory: Memory,
    refused: Cell<u32>,
    counts: Arc<OverloadCounts>,
}

impl Valve {
    /// The valve of the current shard, which from here on measures how long work waits for it, if
    /// that is what `config` asks for.
    ///
    /// # Panics
    ///
    /// Outside a shard, if `config` has [`Admission`](crate::Admission).
    pub fn new(config: &Config) -> Rc<Self> {
        Self::counting_in(config, Arc::default())
    }

    /// The same, told by `signals` how long work waits.
    pub fn with_signals(config: &Config, signals: Signals) -> Rc<Self> {
        Rc::new(Self::build(config, signals, Arc::default()))
    }

    /// The same as [`Valve::new`], with counts that others read.
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

    /// Whether a call is to be turned away that is come to in the turn of `now`, and why.
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

    /// Bytes that the connections of the shard keep: requests that are coming, and replies that
    /// have not gone out.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// They keep more than waiting could hold back.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.memory.is_over()
    }

    /// Counts a call that was ended for the sake of the shard's memory.
    pub(crate) fn note_shed(&self) {
        self.counts.shed.increment();
    }
}
