//! Future of a task, its outcome, and the handle that waits for it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::TaskId;
use crate::context;

/// Reason that a task has no result.
pub enum JoinError {
    /// The task was aborted, or its shard ended first.
    Aborted,
    /// The task panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
}

impl JoinError {
    /// Returns `true` if the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Returns the panic's message, if it is text.
    fn message(&self) -> Option<&str> {
        match self {
            Self::Aborted => None,
            Self::Panicked(payload) => panic_message(&**payload),
        }
    }
}

/// Returns the text of a panic's payload, if it is text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (Self::Aborted, _) => write!(f, "failed to join: the task was aborted"),
            (_, Some(text)) => write!(f, "failed to join: the task panicked: {text}"),
            (_, None) => write!(f, "failed to join: the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JoinError {}

/// Interface of a task to the executor.
pub(super) trait Runnable {
    /// Polls once. Returns `true` if the task is over.
    fn run(&self, cx: &mut Context<'_>) -> bool;
    /// Drops the future now, or right after the poll in progress.
    fn abort(&self) -> bool;
}

enum Outcome<T> {
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

/// Task: its future until it is over, then its outcome until that is taken.
pub(super) struct TaskCell<T> {
    id: TaskId,
    instance: u64,
    future: RefCell<Option<Pin<Box<dyn Future<Output = T>>>>>,
    outcome: RefCell<Outcome<T>>,
    joiner: Cell<Option<Waker>>,
    aborted: Cell<bool>,
    has_handle: Cell<bool>,
}

impl<T: 'static> TaskCell<T> {
    pub(super) fn new(
        id: TaskId,
        instance: u64,
        future: Pin<Box<dyn Future<Output = T>>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            instance,
            future: RefCell::new(Some(future)),
            outcome: RefCell::new(Outcome::Running),
            joiner: Cell::new(None),
            aborted: Cell::new(false),
            has_handle: Cell::new(true),
        })
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> TaskId {
        self.id
    }

    fn finish(&self, result: Result<T, JoinError>) {
        if let Err(error @ JoinError::Panicked(_)) = &result {
            context::try_with(|context| context.counters.panics.increment());
            if !self.has_handle.get() {
                tracing::error!(%error, "a detached task panicked");
            }
        }
        *self.outcome.borrow_mut() = Outcome::Done(result);
        if let Some(joiner) = self.joiner.take() {
            joiner.wake();
        }
    }
}

impl<T: 'static> Runnable for TaskCell<T> {
    fn run(&self, cx: &mut Context<'_>) -> bool {
        let mut place = self.future.borrow_mut();
        let Some(future) = place.as_mut() else {
            return true;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let result = match polled {
            Ok(Poll::Pending) if !self.aborted.get() => return false,
            Ok(Poll::Pending) => Err(JoinError::Aborted),
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(JoinError::Panicked(payload)),
        };
        let future = place.take();
        drop(place);
        let result = drop_caught(future).and(result);
        self.finish(result);
        true
    }

    fn abort(&self) -> bool {
        let Ok(mut place) = self.future.try_borrow_mut() else {
            self.aborted.set(true);
            return false;
        };
        let Some(future) = place.take() else {
            return false;
        };
        drop(place);
        let dropped = drop_caught(Some(future));
        self.finish(dropped.and(Err(JoinError::Aborted)));
        true
    }
}

/// Drops a value. A panic in the drop is an error of the task and does not reach the shard.
fn drop_caught<D>(value: D) -> Result<(), JoinError> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).map_err(JoinError::Panicked)
}

/// Future of a spawned task's result; dropping it lets the task continue by itself.
pub struct JoinHandle<T> {
    pub(super) cell: Rc<TaskCell<T>>,
}

impl<T: 'static> JoinHandle<T> {
    pub(super) fn new(cell: Rc<TaskCell<T>>) -> Self {
        Self { cell }
    }

    /// Ends the task. Its future is dropped before this returns; if the task aborts itself, its
    /// future is dropped as soon as the poll is over.
    pub fn abort(&self) {
        if self.cell.abort() {
            context::try_with(|context| {
                if context.instance == self.cell.instance {
                    context.executor.release(self.cell.id);
                }
            });
        }
    }

    /// Returns `true` if the task is over.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.cell.outcome.borrow(), Outcome::Running)
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut outcome = self.cell.outcome.borrow_mut();
        match &*outcome {
            Outcome::Running => {
                self.cell.joiner.set(Some(cx.waker().clone()));
                Poll::Pending
            }
            Outcome::Done(_) => match std::mem::replace(&mut *outcome, Outcome::Taken) {
                Outcome::Done(result) => Poll::Ready(result),
                _ => unreachable!("matched above"),
            },
            Outcome::Taken => panic!("JoinHandle polled after it was ready"),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.cell.has_handle.set(false);
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}
