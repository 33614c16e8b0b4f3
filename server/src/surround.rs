//! Scopes that are entered for every poll of a call's handler, such as a tracing span or a current
//! context. Other tasks of the shard run outside of them.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use corespun_codec::{Extensions, RequestParts};

/// Scope of every poll of a call's handler, and of waiting interceptors after the one that added
/// it; see [`Incoming::surround`](crate::Incoming::surround).
///
/// A call is polled until it is done. Each [`Surround::enter`] is followed by one
/// [`Surround::leave`], also when the handler panics, before anything else of the shard runs.
pub trait Surround {
    /// Enters the scope, before the handler is polled.
    fn enter(&self);

    /// Leaves the scope, after the poll has returned.
    fn leave(&self);
}

/// Scope within another scope.
struct Nested {
    outer: Surroundings,
    inner: Rc<dyn Surround>,
}

impl Surround for Nested {
    fn enter(&self) {
        self.outer.0.enter();
        self.inner.enter();
    }

    fn leave(&self) {
        self.inner.leave();
        self.outer.0.leave();
    }
}

/// All scopes of a call; carried in its extensions.
#[derive(Clone)]
pub(crate) struct Surroundings(Rc<dyn Surround>);

/// Adds `inner` within the existing scopes.
pub(crate) fn surround(extensions: &mut Extensions, inner: Rc<dyn Surround>) {
    let all = match extensions.remove::<Surroundings>() {
        Some(outer) => Rc::new(Nested { outer, inner }),
        None => inner,
    };
    extensions.insert(Surroundings(all));
}

/// Conditions under which a handler is polled: its deadline and its scopes.
pub(crate) struct Terms {
    /// Deadline of the handler.
    pub(crate) deadline: Option<Duration>,
    around: Option<Surroundings>,
}

impl Terms {
    /// Returns the conditions of a call that goes to its handler.
    pub(crate) fn of(parts: &RequestParts) -> Self {
        Self {
            deadline: parts.deadline,
            around: around(&parts.extensions),
        }
    }

    /// Returns conditions with a deadline only.
    pub(crate) fn until(deadline: Option<Duration>) -> Self {
        Self {
            deadline,
            around: None,
        }
    }

    /// Runs `work` within the scopes of the call; catches a panic of either.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> thread::Result<T> {
        match &self.around {
            None => catch_unwind(AssertUnwindSafe(work)),
            Some(around) => around.run(work),
        }
    }
}

impl Surroundings {
    /// Runs `work` within scopes; a separate function, because most calls have none.
    #[cold]
    #[inline(never)]
    fn run<T>(&self, work: impl FnOnce() -> T) -> thread::Result<T> {
        catch_unwind(AssertUnwindSafe(|| {
            let _entered = Entered::new(self);
            work()
        }))
    }
}

/// Returns the scopes that a call has so far.
pub(crate) fn around(extensions: &Extensions) -> Option<Surroundings> {
    match extensions.is_empty() {
        true => None,
        false => extensions.get::<Surroundings>().cloned(),
    }
}

/// Guard that keeps the scopes of a call entered.
struct Entered<'a>(&'a Surroundings);

impl<'a> Entered<'a> {
    fn new(around: &'a Surroundings) -> Self {
        around.0.enter();
        Self(around)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.leave();
    }
}

/// Polls `work` within the scopes of a call.
pub(crate) async fn within<F>(around: Option<Surroundings>, mut work: F) -> F::Output
where
    F: Future + Unpin,
{
    poll_fn(|context| {
        let _entered = around.as_ref().map(Entered::new);
        Pin::new(&mut work).poll(context)
    })
    .await
}
