//! Executor of a shard, for tasks that never leave their thread.
//!
//! A task is polled under `catch_unwind`, so that a panic ends the task and not the shard. No
//! borrow of the executor is held while foreign code runs: a task may spawn, abort and wake.
//!
//! Ready tasks are polled in turns over connections: see [`lines`].

mod join;
mod lines;
mod reservation;
mod waker;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(crate) use self::join::panic_message;
pub use self::join::{JoinError, JoinHandle};
pub(crate) use self::lines::Group;
pub use self::reservation::Reservation;

use self::join::{Runnable, TaskCell};
use self::lines::Lines;
use self::waker::CachedWaker;
use crate::context;
use crate::mailbox::Mailbox;
use crate::time_share::TimeShare;

/// Largest number of passes in which an ending shard aborts tasks that the drop of others has
/// spawned.
const ABORT_PASSES_MAX: usize = 16;

/// Identifier of one task of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId {
    slot: u32,
    generation: u32,
}

enum State {
    Vacant,
    /// Slot held by a [`Reservation`], which has the waker.
    Reserved {
        notified: bool,
    },
    Live(Rc<dyn Runnable>),
}

struct Slot {
    generation: u32,
    /// Connection that the task works for.
    group: Group,
    state: State,
    /// Waker of the slot; `None` while reserved and while being polled.
    waker: Option<CachedWaker>,
}

#[derive(Default)]
struct Slots {
    entries: Vec<Slot>,
    free: Vec<u32>,
    /// Tasks that are ready to be polled.
    lines: Lines,
}

/// Executor: tasks in slots, and the queues of those that are ready to be polled.
pub(crate) struct Executor {
    instance: u64,
    mailbox: Arc<Mailbox>,
    slots: RefCell<Slots>,
    /// Reserved slot that waits for the next [`Reservation`]: most calls need one for no longer
    /// than a single poll.
    spare: Cell<Option<(TaskId, CachedWaker)>>,
    /// Group of the code that runs now, which tasks that it starts belong to.
    group: Cell<Group>,
    /// Wakers of tasks that yielded to let I/O go first, woken at the start of the next turn.
    yielded: RefCell<Vec<Waker>>,
}

impl Executor {
    pub(crate) fn new(instance: u64, mailbox: Arc<Mailbox>) -> Self {
        Self {
            instance,
            mailbox,
            slots: RefCell::default(),
            spare: Cell::new(None),
            group: Cell::default(),
            yielded: RefCell::default(),
        }
    }

    /// Queues a task to be polled when its group has its turn. A task that is gone is ignored.
    pub(crate) fn push(&self, id: TaskId) {
        let slots = &mut *self.slots.borrow_mut();
        if let Some(slot) = slots.entry(id) {
            let group = slot.group;
            slots.lines.push(id.slot, group);
        }
    }

    /// Runs `f` for a group, which tasks that it starts belong to.
    #[inline]
    pub(crate) fn run_for<R>(&self, group: Group, f: impl FnOnce() -> R) -> R {
        let outer = self.group.replace(group);
        let result = f();
        self.group.set(outer);
        result
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready_len() > 0 || !self.yielded.borrow().is_empty()
    }

    /// Returns the number of tasks that wait to be polled.
    pub(crate) fn ready_len(&self) -> usize {
        self.slots.borrow().lines.len()
    }

    /// Returns the largest number of polls that come first if the code that runs now starts a task.
    pub(crate) fn polls_ahead(&self) -> usize {
        self.slots.borrow().lines.ahead_of(self.group.get())
    }

    /// Wakes the tasks that yielded in the last turn.
    pub(crate) fn wake_yielded(&self) {
        if self.yielded.borrow().is_empty() {
            return;
        }
        // Taken out while waking, as a foreign waker may run any code; put back to be used again.
        let mut yielded = self.yielded.take();
        for waker in yielded.drain(..) {
            waker.wake();
        }
        let mut place = self.yielded.borrow_mut();
        if place.is_empty() {
            *place = yielded;
        }
    }

    /// Polls ready tasks until none is left, `limit` polls are done, or the time of `share` is used
    /// up. Returns the number of polls.
    pub(crate) fn run(&self, limit: usize, share: &mut TimeShare) -> usize {
        share.begin(None);
        let mut polls = 0;
        while polls < limit
            && let Some((id, task, cached)) = self.next()
        {
            self.run_one(id, &*task, cached);
            polls += 1;
            if share.is_used_up() {
                break;
            }
        }
        self.group.set(Group::BACKGROUND);
        polls
    }

    fn run_one(&self, id: TaskId, task: &dyn Runnable, cached: CachedWaker) {
        cached.clear_queued();
        let finished = task.run(&mut Context::from_waker(cached.waker()));
        if let Some(slot) = self.slots.borrow_mut().entry(id) {
            slot.waker = Some(cached);
        }
        if finished {
            self.release(id);
        }
    }

    /// Takes the next task with its waker, and makes its group the current one.
    fn next(&self) -> Option<(TaskId, Rc<dyn Runnable>, CachedWaker)> {
        let slots = &mut *self.slots.borrow_mut();
        while let Some(index) = slots.lines.pop() {
            let slot = &mut slots.entries[index as usize];
            match &mut slot.state {
                State::Vacant => {
                    if let Some(cached) = &slot.waker {
                        cached.clear_queued();
                    }
                }
                State::Reserved { notified } => *notified = true,
                State::Live(task) => {
                    if let Some(cached) = slot.waker.take() {
                        let id = TaskId {
                            slot: index,
                            generation: slot.generation,
                        };
                        self.group.set(slot.group);
                        return Some((id, task.clone(), cached));
                    }
                }
            }
        }
        None
    }

    fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let (id, cached) = self.reserve();
        cached.set_queued();
        let handle = self.occupy(id, cached, Box::pin(future));
        self.push(id);
        handle
    }

    #[inline]
    fn reserve(&self) -> (TaskId, CachedWaker) {
        match self.spare.take() {
            Some(spare) => spare,
            None => self.reserve_slot(),
        }
    }

    fn reserve_slot(&self) -> (TaskId, CachedWaker) {
        let mut slots = self.slots.borrow_mut();
        let index = match slots.free.pop() {
            Some(index) => index,
            None => {
                slots.lines.add_slot();
                slots.entries.push(Slot {
                    generation: 0,
                    group: Group::BACKGROUND,
                    state: State::Vacant,
                    waker: None,
                });
                u32::try_from(slots.entries.len() - 1).expect("fewer than 2^32 tasks")
            }
        };
        let slot = &mut slots.entries[index as usize];
        debug_assert!(matches!(slot.state, State::Vacant));
        slot.state = State::Reserved { notified: false };
        slot.group = Group::BACKGROUND;
        let id = TaskId {
            slot: index,
            generation: slot.generation,
        };
        let cached = slot.waker.take();
        let cached =
            cached.unwrap_or_else(|| CachedWaker::new(self.instance, id, self.mailbox.clone()));
        (id, cached)
    }

    fn occupy<F: Future + 'static>(
        &self,
        id: TaskId,
        cached: CachedWaker,
        future: Pin<Box<F>>,
    ) -> JoinHandle<F::Output> {
        let cell = TaskCell::new(id, self.instance, future);
        let slots = &mut *self.slots.borrow_mut();
        let slot = slots
            .entry(id)
            .expect("a reserved slot keeps its generation");
        let group = self.group.get();
        let is_notified = matches!(slot.state, State::Reserved { notified: true });
        if is_notified {
            cached.set_queued();
        }
        slot.group = group;
        slot.state = State::Live(cell.clone());
        slot.waker = Some(cached);
        // A wake of the reservation may have put it into the line of no connection.
        if slots.lines.remove(id.slot) || is_notified {
            slots.lines.push(id.slot, group);
        }
        JoinHandle::new(cell)
    }

    fn take_notified(&self, id: TaskId) -> bool {
        match self
            .slots
            .borrow_mut()
            .entry(id)
            .map(|slot| &mut slot.state)
        {
            Some(State::Reserved { notified }) => std::mem::take(notified),
            _ => false,
        }
    }

    #[inline]
    fn give_back(&self, id: TaskId, cached: CachedWaker) {
        if !cached.is_unused() {
            return self.free_reserved(id, cached);
        }
        if let Some((id, cached)) = self.spare.replace(Some((id, cached))) {
            self.free_reserved(id, cached);
        }
    }

    fn free_reserved(&self, id: TaskId, cached: CachedWaker) {
        // A wake that nobody will poll for must not make the slot's next task miss its own.
        cached.clear_queued();
        if let Some(slot) = self.slots.borrow_mut().entry(id) {
            slot.waker = Some(cached);
        }
        self.release(id);
    }

    /// Frees a slot. Its waker stays for the next task unless a clone of it exists.
    pub(crate) fn release(&self, id: TaskId) {
        let mut slots = self.slots.borrow_mut();
        let was_ready = slots.entry(id).is_some() && slots.lines.remove(id.slot);
        let Some(slot) = slots.entry(id) else {
            return;
        };
        let state = std::mem::replace(&mut slot.state, State::Vacant);
        if matches!(state, State::Vacant) {
            return;
        }
        if let Some(cached) = slot.waker.as_ref().filter(|_| was_ready) {
            cached.clear_queued();
        }
        if !slot.waker.as_ref().is_some_and(CachedWaker::is_unshared) {
            slot.waker = None;
            slot.generation = slot.generation.wrapping_add(1);
        }
        slots.free.push(id.slot);
        drop(slots);
        drop(state);
    }

    /// Drops the futures of all tasks, including those spawned meanwhile.
    pub(crate) fn abort_all(&self) {
        for _ in 0..ABORT_PASSES_MAX {
            let live = self.live();
            if live.is_empty() {
                return;
            }
            for (id, task) in live {
                task.abort();
                self.release(id);
            }
        }
    }

    fn live(&self) -> Vec<(TaskId, Rc<dyn Runnable>)> {
        let slots = self.slots.borrow();
        let entries = slots.entries.iter().enumerate();
        let live = entries.filter_map(|(index, slot)| match &slot.state {
            State::Live(task) => {
                let id = TaskId {
                    slot: index as u32,
                    generation: slot.generation,
                };
                Some((id, task.clone()))
            }
            _ => None,
        });
        live.collect()
    }
}

impl Slots {
    fn entry(&mut self, id: TaskId) -> Option<&mut Slot> {
        let slot = self.entries.get_mut(id.slot as usize)?;
        (slot.generation == id.generation).then_some(slot)
    }
}

/// Starts a task on the current shard. It is first polled later in this turn or in the next.
///
/// # Panics
///
/// Outside a shard.
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    context::with(|context| context.executor.spawn(future))
}

/// Lets every socket and every other ready task go first, then continues in the next turn.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        context::with(|context| context.executor.yielded.borrow_mut().push(waker));
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests;
