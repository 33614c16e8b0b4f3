//! Notice to calls that their connection is about to end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Drain state of a connection, set once: when the server shuts down or the connection has reached
/// its age limit.
#[derive(Debug, Default)]
pub struct Drain {
    begun: Cell<bool>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next_place: Cell<u64>,
}

impl Drain {
    /// Starts the drain of the connection.
    pub fn begin(&self) {
        self.begun.set(true);
        let waiting = self.waiting.take();
        waiting.into_values().for_each(Waker::wake);
    }

    /// Returns a future for a call on the connection.
    pub fn watch(self: &Rc<Self>) -> Draining {
        Draining {
            drain: Some(Rc::clone(self)),
            place: None,
        }
    }
}

/// Compares as always equal, so that two heads that differ only in this are equal.
impl PartialEq for Drain {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Drain {}

/// A future that is ready once a call's connection drains: because the server shuts down, or
/// because the connection has reached its age.
///
/// A handler that streams without end should end its stream then. Calls that still run when the
/// drain's grace time is over end with UNAVAILABLE. The future borrows nothing, so it can be
/// awaited together with others, and kept after it is ready. On a client it is never ready.
///
/// ```
/// # use corespun_codec::{Request, Sender, Status};
/// # async fn next_quote() -> String { String::new() }
/// async fn quotes(request: Request<()>, out: &mut Sender<String>) -> Result<(), Status> {
///     let draining = request.draining();
///     while !draining.has_begun() {
///         out.send(next_quote().await).await?;
///     }
///     Err(Status::unavailable("the server is shutting down: ask again"))
/// }
/// ```
#[derive(Debug, Default)]
pub struct Draining {
    drain: Option<Rc<Drain>>,
    /// Key of the stored waker.
    place: Option<u64>,
}

impl Draining {
    /// Returns `true` once the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.begun.get())
    }
}

impl Clone for Draining {
    fn clone(&self) -> Self {
        Self {
            drain: self.drain.clone(),
            place: None,
        }
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(drain) = &this.drain else {
            return Poll::Pending;
        };
        if drain.begun.get() {
            return Poll::Ready(());
        }
        let place = *this.place.get_or_insert_with(|| {
            let place = drain.next_place.get();
            drain.next_place.set(place + 1);
            place
        });
        let mut waiting = drain.waiting.borrow_mut();
        waiting.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if let (Some(drain), Some(place)) = (&self.drain, self.place) {
            let waker = drain.waiting.borrow_mut().remove(&place);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn poll(draining: Pin<&mut Draining>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        draining.poll(&mut context).is_ready()
    }

    #[test]
    fn all_who_watch_are_told_and_those_gone_are_forgotten() {
        let drain = Rc::new(Drain::default());
        let mut first = pin!(drain.watch());
        let mut second = pin!(first.clone());
        assert!(!poll(first.as_mut()) && !poll(second.as_mut()) && !poll(first.as_mut()));
        assert_eq!(drain.waiting.borrow().len(), 2);
        {
            let mut gone = pin!(drain.watch());
            assert!(!poll(gone.as_mut()));
            assert_eq!(drain.waiting.borrow().len(), 3);
        }
        assert_eq!(drain.waiting.borrow().len(), 2);
        assert!(!first.has_begun());
        drain.begin();
        assert!(poll(first.as_mut()) && poll(second) && poll(first.as_mut()));
        assert!(poll(pin!(drain.watch())) && first.has_begun());
        assert!(drain.waiting.borrow().is_empty());
    }

    #[test]
    fn without_a_connection_nothing_drains() {
        let mut never = pin!(Draining::default());
        assert!(!poll(never.as_mut()) && !never.has_begun());
    }
}
