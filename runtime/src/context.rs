//! Current shard of the thread, as seen by the code that runs on it.
//!
//! Everything here is in cells with short borrows, so that a protocol or a task may call in at any
//! moment. The driver and the sockets are not here: only the shard's loop owns those.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use crate::clock;
use crate::connect::Request;
use crate::dirty::Dirty;
use crate::lag::Meter;
use crate::mailbox::Mailbox;
use crate::slots::ConnId;
use crate::stats::Counters;
use crate::task::Executor;
use crate::timer::Wheel;

/// Default limit on the time that one send may be in flight.
pub(crate) const SEND_TIME_MAX: Duration = Duration::from_secs(60);

/// Action of a timer when it fires.
pub(crate) enum Alarm {
    /// Wakes a sleeping task.
    Task(Waker),
    /// Marks a socket as having work to do.
    Socket(ConnId),
    /// Retries accept on a listener whose last accept failed.
    Accept(usize),
}

/// Part of a shard that is accessible to the code that runs on it.
pub(crate) struct Context {
    /// Number of the shard, unique in the process, by which wakers tell their own shard from a
    /// later one.
    pub(crate) instance: u64,
    pub(crate) shard: usize,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Mailboxes of all shards of this runtime, by shard id.
    pub(crate) peers: Arc<[Arc<Mailbox>]>,
    pub(crate) executor: Executor,
    pub(crate) timers: RefCell<Wheel<Alarm>>,
    pub(crate) dirty: Dirty,
    pub(crate) requests: RefCell<Vec<Request>>,
    pub(crate) turn_time: Cell<Duration>,
    /// Limit on the time that one send may be in flight.
    pub(crate) send_time_max: Duration,
    /// Time that a busy shard may wait for more events.
    pub(crate) coalesce_time: Duration,
    pub(crate) counters: Rc<Counters>,
    /// Measurement of how long work waits, if it is turned on.
    pub(crate) meter: Meter,
}

static INSTANCES: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    pub(crate) fn new(shard: usize, mailbox: Arc<Mailbox>, peers: Arc<[Arc<Mailbox>]>) -> Self {
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        let now = clock::now();
        Self {
            instance,
            shard,
            executor: Executor::new(instance, mailbox.clone()),
            mailbox,
            peers,
            timers: RefCell::new(Wheel::new(now, instance)),
            dirty: Dirty::default(),
            requests: RefCell::default(),
            turn_time: Cell::new(now),
            send_time_max: SEND_TIME_MAX,
            coalesce_time: Duration::ZERO,
            counters: Rc::default(),
            meter: Meter::default(),
        }
    }

    /// Returns `true` if the shard itself has work left, so that the turn must not block.
    pub(crate) fn has_work(&self) -> bool {
        self.executor.has_ready() || !self.dirty.is_empty() || !self.requests.borrow().is_empty()
    }
}

/// Makes `context` the current one until the guard is dropped.
///
/// # Panics
///
/// When the thread already runs a shard: shards do not nest.
pub(crate) fn enter(context: Rc<Context>) -> Entered {
    CURRENT.with_borrow_mut(|current| {
        assert!(current.is_none(), "this thread already runs a shard");
        *current = Some(context);
    });
    Entered(())
}

/// Returns `true` if no shard runs on this thread.
pub(crate) fn is_free() -> bool {
    CURRENT
        .try_with(|current| current.borrow().is_none())
        .unwrap_or(false)
}

/// Guard during whose lifetime the thread runs its shard.
pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.borrow_mut().take());
    }
}

/// Runs `f` on the current shard, if there is one.
pub(crate) fn try_with<R>(f: impl FnOnce(&Context) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| current.borrow().as_deref().map(f))
        .ok()
        .flatten()
}

/// Runs `f` on the current shard.
///
/// # Panics
///
/// Outside a shard.
pub(crate) fn with<R>(f: impl FnOnce(&Context) -> R) -> R {
    try_with(f).expect("called outside a shard: use block_on or a Runtime")
}

/// Returns the time at the start of this turn, read once when the shard woke; costs no clock
/// reading.
///
/// # Panics
///
/// Outside a shard.
pub fn turn_time() -> Duration {
    with(|context| context.turn_time.get())
}

/// Returns the number of shards of this runtime; 1 on a [`LocalShard`].
///
/// [`LocalShard`]: crate::LocalShard
///
/// # Panics
///
/// Outside a shard.
pub fn shard_count() -> usize {
    with(|context| context.peers.len())
}

/// Returns the number of the current shard: 0 to `shards - 1`; 0 on a [`LocalShard`].
///
/// [`LocalShard`]: crate::LocalShard
///
/// # Panics
///
/// Outside a shard.
pub fn shard_id() -> usize {
    with(|context| context.shard)
}
