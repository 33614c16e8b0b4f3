//! What is in force whenever a call's handler is polled: a span that is entered, a context that is
//! current. Other tasks of the shard run outside of it.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use corespun_codec::{Extensions, RequestParts};

/// Put around every poll of a call's handler, and of the interceptors that wait behind the one
/// that added it; see [`Incoming::surround`](crate::Incoming::surround).
///
/// A call is polled again and again until it is done; each [`Surround::enter`] is followed by one
/// [`Surround::leave`], also when the handler panics, before anything else of the shard runs.
pub trait Surround {
    /// The handler is about to be polled.
    fn enter(&self);

    /// The poll has returned.
    fn leave(&self);
}

/// One inside another.
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

/// All that surrounds a call; travels among its extensions.
#[derive(Clone)]
pub(crate) struct Surroundings(Rc<dyn Surround>);

/// Adds `inner`, inside of what is there.
pub(crate) fn surround(extensions: &mut Extensions, inner: Rc<dyn Surround>) {
    let all = match extensions.remove::<Surroundings>() {
        Some(outer) => Rc::new(Nested { outer, inner }),
        None => inner,
    };
    extensions.insert(Surroundings(all));
}

/// What a handler is polled under.
pub(crate) struct Terms {
    /// When its time is up.
    pub(crate) deadline: Option<Duration>,
    around: Option<Surroundings>,
}

impl Terms {
    /// Those of a call that goes to its handler.
    pub(crate) fn of(parts: &RequestParts) -> Self {
        Self {
            deadline: parts.deadline,
            around: around(&parts.extensions),
        }
    }

    /// A time alone.
    pub(crate) fn until(deadline: Option<Duration>) -> Self {
        Self {
            deadline,
            around: None,
        }
    }

    /// Does `work` inside of what surrounds the call; a panic of either is caught.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> thread::Result<T> {
        match &self.around {
            None => catch_unwind(AssertUnwindSafe(work)),
            Some(around) => around.run(work),
        }
    }
}

impl Surroundings {
    /// Out of the way of the many calls that have none.
    #[cold]
    #[inline(never)]
    fn run<T>(&self, work: impl FnOnce() -> T) -> thread::Result<T> {
        catch_unwind(AssertUnwindSafe(|| {
            let _entered = Entered::new(self);
            work()
        }))
    }
}

/// What surrounds a call so far.
pub(crate) fn around(extensions: &Extensions) -> Option<Surroundings> {
    match extensions.is_empty() {
        true => None,
        false => extensions.get::<Surroundings>().cloned(),
    }
}

/// While this lives, what surrounds a call is in force.
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

/// Has `work` polled inside of what surrounds a call.
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
