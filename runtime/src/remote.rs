//! Work on other threads, awaited from a shard.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::blocking::POOL;
use crate::context;
use crate::mailbox::Message;
use crate::task::JoinError;

enum State<T> {
    Waiting(Option<Waker>),
    Done(Option<T>),
}

struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sending end of the result. If dropped without a result, it reports that there will be none.
struct Answer<T>(Arc<Shared<T>>);

impl<T> Answer<T> {
    fn settle(&self, value: Option<T>) {
        let mut state = self.0.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Done(value);
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.settle(None);
    }
}

/// Future of the result of [`invoke_on`].
pub struct Invocation<T>(Arc<Shared<T>>);

impl<T> Future for Invocation<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self.0.lock() {
            State::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Done(value) => Poll::Ready(value.take().ok_or(JoinError::Aborted)),
        }
    }
}

/// Runs `f` on another shard of this runtime; inside `f`, `spawn` and all other functions act
/// there.
///
/// The result is [`JoinError::Aborted`] when that shard has ended, or `f` panicked on it. The
/// closure runs whether or not the result is waited for.
///
/// # Panics
///
/// Outside a shard, and if there is no shard of that number.
pub fn invoke_on<T, F>(shard: usize, f: F) -> Invocation<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let shared = Arc::new(Shared(Mutex::new(State::Waiting(None))));
    let answer = Answer(shared.clone());
    let closure = Box::new(move || answer.settle(Some(f())));
    context::with(|context| {
        let shards = context.peers.len();
        assert!(shard < shards, "there is no shard {shard} among {shards}");
        // A closure handed back is dropped, and with it the answer: the waiter learns of it.
        drop(context.peers[shard].post(Message::Run(closure)));
    });
    Invocation(shared)
}

/// Runs `f` on a thread pool for blocking work, and waits for its result.
///
/// The pool has at most 500 threads; each ends after two seconds without work. If the future is
/// dropped before `f` starts, `f` never runs.
///
/// # Panics
///
/// When `f` does; the panic is passed on.
pub async fn spawn_blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let place = context::try_with(|context| {
        let meter = &context.meter;
        let now = context.turn_time.get();
        meter.is_on().then(|| meter.blocking.enter(now))
    });
    let shared = Arc::new(Shared(Mutex::new(State::Waiting(None))));
    let answer = Answer(shared.clone());
    let ticket = POOL.submit(Box::new(move || {
        drop(place);
        answer.settle(Some(catch_unwind(AssertUnwindSafe(f))));
    }));
    let mut cancel = CancelOnDrop(ticket);
    let done = Invocation(shared).await;
    cancel.0 = None;
    match done {
        Ok(Ok(value)) => value,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => unreachable!("a blocking job is cancelled only by dropping its future"),
    }
}

/// Guard that cancels a blocking job that has not started.
struct CancelOnDrop(Option<u64>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(ticket) = self.0 {
            POOL.cancel(ticket);
        }
    }
}
