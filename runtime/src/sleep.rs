//! Futures that wait for time to pass.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock;
use crate::context::{self, Alarm};
use crate::timer::TimerKey;

/// Future that waits for a moment; made by [`sleep`] and [`sleep_until`].
///
/// Never ends early, and is cancelled by being dropped. Belongs to the shard on which it was first
/// polled.
#[derive(Debug)]
pub struct Sleep {
    deadline: Duration,
    timer: Option<TimerKey>,
    not_send: PhantomData<*const ()>,
}

impl Sleep {
    /// Returns the moment waited for, on the clock of [`now`](crate::now).
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Returns a future that waits for `span`, counted from this call.
pub fn sleep(span: Duration) -> Sleep {
    sleep_until(clock::now().saturating_add(span))
}

/// Returns a future that waits until `deadline` on the clock of [`now`](crate::now).
pub fn sleep_until(deadline: Duration) -> Sleep {
    Sleep {
        deadline,
        timer: None,
        not_send: PhantomData,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        context::with(|context| {
            if context.turn_time.get() >= self.deadline {
                let key = self.timer.take();
                let cancelled = key.map(|key| context.timers.borrow_mut().cancel(key));
                // Dropped after the borrow ended: a waker may own anything.
                drop(cancelled);
                return Poll::Ready(());
            }
            let mut timers = context.timers.borrow_mut();
            let armed = self.timer.and_then(|key| timers.find(key));
            if let Some(Alarm::Task(waker)) = armed {
                let stale = (!waker.will_wake(cx.waker()))
                    .then(|| std::mem::replace(waker, cx.waker().clone()));
                drop(timers);
                drop(stale);
            } else {
                let alarm = Alarm::Task(cx.waker().clone());
                self.timer = Some(timers.insert(self.deadline, alarm));
            }
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(key) = self.timer else {
            return;
        };
        context::try_with(|context| {
            let cancelled = context.timers.borrow_mut().cancel(key);
            // Dropped after the borrow ended: a waker may own anything.
            drop(cancelled);
        });
    }
}

/// Error of a [`timeout`] whose future took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed {
    span: Duration,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to finish within {:?}", self.span)
    }
}

impl std::error::Error for Elapsed {}

/// Runs `future` for at most `span`; a result that is ready in time always wins.
///
/// # Errors
///
/// [`Elapsed`] when the time is over first; the future is dropped then.
pub async fn timeout<F: Future>(span: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut limit = pin!(sleep(span));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        limit.as_mut().poll(cx).map(|()| Err(Elapsed { span }))
    })
    .await
}
