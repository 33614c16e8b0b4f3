//! Task slot reserved for a future that may never need one.

use std::future::Future;
use std::pin::Pin;
use std::task::Waker;

use super::waker::CachedWaker;
use super::{JoinHandle, TaskId};
use crate::context;

/// Task slot and waker for a future that is polled once in place and becomes a task only if that
/// poll is pending.
///
/// If dropped without a spawn, slot and waker are reused. Nothing is allocated unless the waker is
/// cloned.
pub struct Reservation {
    id: TaskId,
    instance: u64,
    /// Waker of the slot; `None` only while being dropped or spawned.
    waker: Option<CachedWaker>,
}

impl Reservation {
    /// Reserves a slot on the current shard.
    ///
    /// # Panics
    ///
    /// Outside a shard.
    pub fn take() -> Self {
        context::with(|context| {
            let (id, waker) = context.executor.reserve();
            Self {
                id,
                instance: context.instance,
                waker: Some(waker),
            }
        })
    }

    /// Returns the waker to poll with.
    pub fn waker(&self) -> &Waker {
        self.cached().waker()
    }

    /// Makes `future` a task of this slot. It was polled with [`waker`](Self::waker) before and is
    /// pending; it stays in place and is polled again when that waker wakes.
    ///
    /// # Panics
    ///
    /// Outside the shard the reservation was taken on.
    pub fn spawn<F: Future + 'static>(mut self, future: Pin<Box<F>>) -> JoinHandle<F::Output> {
        let waker = self.waker.take().expect("a live reservation has a waker");
        context::with(|context| {
            assert_eq!(context.instance, self.instance, "reserved on another shard");
            context.executor.occupy(self.id, waker, future)
        })
    }

    /// Returns `true` if the waker was used since the last call.
    pub(crate) fn take_notified(&self) -> bool {
        self.cached().clear_queued();
        context::with(|context| context.executor.take_notified(self.id))
    }

    fn cached(&self) -> &CachedWaker {
        self.waker.as_ref().expect("a live reservation has a waker")
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(waker) = self.waker.take() else {
            return;
        };
        context::try_with(|context| {
            if context.instance == self.instance {
                context.executor.give_back(self.id, waker);
            }
        });
    }
}
