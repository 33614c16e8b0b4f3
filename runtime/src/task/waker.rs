//! Wakers of tasks: its own thread pushes to a queue, other threads post to the mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::{Wake, Waker};

use super::TaskId;
use crate::context;
use crate::mailbox::{Mailbox, Message};

/// Target of a task's waker. Built with the safe [`Wake`], so it may go to any thread.
pub(crate) struct TaskWaker {
    instance: u64,
    id: TaskId,
    mailbox: Arc<Mailbox>,
    /// True while the task is in a queue, so that waking twice queues once.
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

impl TaskWaker {
    fn notify(&self) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let local = context::try_with(|context| {
            let ours = context.instance == self.instance;
            if ours {
                context.executor.push(self.id);
            }
            ours
        });
        if local != Some(true) {
            // A shard that is gone needs no waking.
            let _ = self.mailbox.post(Message::Wake(self.id));
        }
    }
}

/// Waker kept with its slot, made once and used by every later task of that slot.
pub(crate) struct CachedWaker {
    shared: Arc<TaskWaker>,
    waker: Waker,
}

impl CachedWaker {
    pub(super) fn new(instance: u64, id: TaskId, mailbox: Arc<Mailbox>) -> Self {
        let shared = Arc::new(TaskWaker {
            instance,
            id,
            mailbox,
            queued: AtomicBool::new(false),
        });
        let waker = Waker::from(shared.clone());
        Self { shared, waker }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Returns `true` if no clone exists, so that no stale wake can come and the waker can be
    /// reused.
    pub(super) fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.shared) == 2
    }

    /// Returns `true` if no clone exists, and every wake has been followed by a poll.
    pub(super) fn is_unused(&self) -> bool {
        let unshared = self.is_unshared();
        // Whoever dropped a clone on another thread may have woken with it before.
        fence(Ordering::Acquire);
        unshared && !self.shared.queued.load(Ordering::Relaxed)
    }

    /// Records that the task is in a queue.
    pub(super) fn set_queued(&self) {
        self.shared.queued.store(true, Ordering::Release);
    }

    /// Records that the task left the queue; makes earlier writes of its wakers visible here.
    pub(super) fn clear_queued(&self) {
        self.shared.queued.swap(false, Ordering::AcqRel);
    }
}
