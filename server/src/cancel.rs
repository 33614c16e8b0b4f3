//! Telling work outside of a handler that the handler's call is no longer wanted.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Held by a handler for as long as it runs, it tells others when the call was cancelled.
///
/// A call that is cancelled (the caller reset it, its deadline passed, the connection was lost)
/// has its handler's future dropped where it waits, and with it everything that the handler
/// owns. What the handler owns needs no more than that. What it has *started* does: a task, or a
/// thread, that goes on without it. Such work asks a [`CancelWatch`].
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

/// Learns from a [`CancelGuard`] how its handler ended.
#[derive(Clone, Debug)]
pub struct CancelWatch {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the handler was dropped before its end, once it has ended.
    cancelled: Option<bool>,
    waiting: Vec<Waker>,
}

impl CancelGuard {
    /// A guard for the handler that holds it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A watch for work that goes on beside the handler.
    pub fn watch(&self) -> CancelWatch {
        CancelWatch {
            state: Rc::clone(&self.state),
        }
    }

    /// Says that the handler has come to its own end.
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
    /// Whether the handler was dropped before its end.
    pub fn is_cancelled(&self) -> bool {
        self.state.borrow().cancelled == Some(true)
    }

    /// Waits for the handler to end; true when it was dropped before its end.
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
