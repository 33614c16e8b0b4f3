//! Notification of a call's end to its interceptors.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Tap;
use corespun_codec::{CallObserver, MessageBytes, RequestHead, Status};
use corespun_runtime::now;

use crate::interceptor::Ended;
use crate::service::Scope;

/// Callback for the end of one call.
type Tell = Box<dyn FnOnce(&Ended<'_>)>;

/// Interceptors that a call has passed, and its callbacks for the end. Shared by the call and its
/// watch; allocated only when first needed, because most calls need none.
#[derive(Clone, Default)]
pub(crate) struct Ends(Option<Rc<Shared>>);

#[derive(Default)]
struct Shared {
    tell: RefCell<Vec<Tell>>,
    /// Number of interceptors that ran while the call waited.
    reached: Cell<usize>,
    observers: RefCell<Vec<Rc<dyn CallObserver>>>,
}

impl Tap for Shared {
    fn received(&self, message: MessageBytes) {
        for observer in &*self.observers.borrow() {
            observer.received(message);
        }
    }

    fn sent(&self, message: MessageBytes) {
        for observer in &*self.observers.borrow() {
            observer.sent(message);
        }
    }
}

impl Ends {
    pub(crate) fn push(&mut self, tell: Tell) {
        self.shared().tell.borrow_mut().push(tell);
    }

    pub(crate) fn observe(&mut self, observer: Rc<dyn CallObserver>) {
        self.shared().observers.borrow_mut().push(observer);
    }

    /// Returns the tap for the call's messages, if it has observers.
    pub(crate) fn tap(&self) -> Option<Rc<dyn Tap>> {
        let shared = self.0.as_ref()?;
        let is_observed = !shared.observers.borrow().is_empty();
        is_observed.then(|| Rc::clone(shared) as Rc<dyn Tap>)
    }

    /// Reports a request message that goes to the handler.
    pub(crate) fn received(&self, message: MessageBytes) {
        if let Some(shared) = &self.0 {
            shared.received(message);
        }
    }

    /// Returns a second handle, for the part of the call that runs separately from its watch.
    pub(crate) fn share(&mut self) -> Self {
        self.shared();
        self.clone()
    }

    pub(crate) fn set_reached(&self, reached: usize) {
        if let Some(shared) = &self.0 {
            shared.reached.set(reached);
        }
    }

    fn shared(&mut self) -> &Rc<Shared> {
        self.0.get_or_insert_default()
    }
}

/// Guard that reports the end of a call to its interceptors; dropped early, it reports CANCELLED.
pub(crate) struct Watch {
    scope: Rc<Scope>,
    method: &'static str,
    head: Rc<RequestHead>,
    started: Duration,
    /// Number of interceptors that ran, as far as this side knows.
    pub(crate) reached: usize,
    pub(crate) ends: Ends,
    done: bool,
}

impl Watch {
    pub(crate) fn new(scope: &Rc<Scope>, method: &'static str, head: &Rc<RequestHead>) -> Self {
        Self {
            scope: Rc::clone(scope),
            method,
            head: Rc::clone(head),
            started: now(),
            reached: 0,
            ends: Ends::default(),
            done: false,
        }
    }

    /// Reports the response message.
    pub(crate) fn sent(&self, message: MessageBytes) {
        if let Some(shared) = &self.ends.0 {
            shared.sent(message);
        }
    }

    /// Reports the end of the call.
    pub(crate) fn end(mut self, outcome: Result<(), &Status>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<(), &Status>) {
        self.done = true;
        let ended = Ended {
            method: self.method,
            head: &self.head,
            outcome,
            elapsed: now().saturating_sub(self.started),
        };
        let mut reached = self.reached;
        if let Some(shared) = self.ends.0.take() {
            reached = reached.max(shared.reached.get());
            for tell in shared.tell.take() {
                unharmed(|| tell(&ended));
            }
            for observer in shared.observers.take() {
                unharmed(|| observer.ended(outcome, ended.elapsed));
            }
        }
        for interceptor in self.scope.interceptors[..reached].iter().rev() {
            unharmed(|| interceptor.end(&ended));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.done {
            let status = Status::cancelled("the call was cancelled before its end");
            self.tell(Err(&status));
        }
    }
}

/// Runs a callback and ignores its panic: the call is over, and the panic hook has logged it.
fn unharmed(tell: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(tell)));
}
