//! Cancellation of work that a handler has started outside of itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Guard that a handler holds while it runs, to signal cancellation to other tasks.
///
/// A call is cancelled when the client resets it, its deadline passes, or its connection is lost.
/// The future of its handler is then dropped at its current await point, with everything it owns.
/// Work that the handler owns therefore needs no further signal. Work that it has *started*, such
/// as a task or a thread, continues without it. Such work checks a [`CancelWatch`].
///
/// ```
/// use corespun_server::CancelGuard;
///
/// # async fn reindex(_: usize) {}
/// async fn handler() {
///     let guard = CancelGuard::new();
///     let watch = guard.watch();
///     corespun_runtime::spawn(async move {
///         for part in 0..100 {
///             if watch.is_cancelled() {
///                 return;
///             }
///             reindex(part).await;
///         }
///     });
///     // … the rest of the call; dropped in the middle of it, the guard cancels …
///     guard.disarm();
/// }
/// ```
#[derive(Debug, Default)]
pub struct CancelGuard {
    state: Rc<RefCell<State>>,
}

/// Observer of how the handler of a [`CancelGuard`] ended.
#[derive(Clone, Debug)]
pub struct CancelWatch {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// True if the handler was dropped before it finished; `None` while it runs.
    cancelled: Option<bool>,
    waiting: Vec<Waker>,
}

impl CancelGuard {
    /// Creates a guard for the handler that holds it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a watch for work that runs outside of the handler.
    pub fn watch(&self) -> CancelWatch {
        CancelWatch {
            state: Rc::clone(&self.state),
        }
    }

    /// Records that the handler has finished by itself.
    pub fn disarm(self) {
        self.end(false);
    }

    fn end(&self, cancelled: bool) {
        let mut state = self.state.borrow_mut();
        state.cancelled.get_or_insert(cancelled);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.end(true);
    }
}

impl CancelWatch {
    /// Returns true if the handler was dropped before it finished.
    pub fn is_cancelled(&self) -> bool {
        self.state.borrow().cancelled == Some(true)
    }

    /// Waits for the handler to end; returns true if it was dropped before it finished.
    pub async fn ended(&self) -> bool {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if let Some(cancelled) = state.cancelled {
                return Poll::Ready(cancelled);
            }
            let waker = context.waker();
            if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Context;

    #[test]
    fn a_dropped_guard_cancels_and_a_disarmed_one_does_not() {
        for disarm in [false, true] {
            let guard = CancelGuard::new();
            let watch = guard.watch();
            let ended = watch.ended();
            let mut ended = pin!(ended);
            let mut context = Context::from_waker(Waker::noop());
            assert!(ended.as_mut().poll(&mut context).is_pending());
            assert!(!watch.is_cancelled());
            match disarm {
                true => guard.disarm(),
                false => drop(guard),
            }
            assert_eq!(ended.poll(&mut context), Poll::Ready(!disarm));
            assert_eq!(watch.is_cancelled(), !disarm);
        }
    }
}
