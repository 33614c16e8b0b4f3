//! Waiting for a call's end on behalf of its interceptors.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Tap;
use corespun_codec::{CallObserver, MessageBytes, RequestHead, Status};
use corespun_runtime::now;

use crate::interceptor::Ended;
use crate::service::Scope;

/// What one call wants told about its end.
type Tell = Box<dyn FnOnce(&Ended<'_>)>;

/// How far a call has come among its interceptors, and what it wants told at its end. Shared by
/// the call and its watch, but only once there is something to share: most calls never own one.
#[derive(Clone, Default)]
pub(crate) struct Ends(Option<Rc<Shared>>);

#[derive(Default)]
struct Shared {
    tell: RefCell<Vec<Tell>>,
    /// Interceptors that were asked while the call was waiting.
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

    /// Who hears of the call's messages, if anybody does.
    pub(crate) fn tap(&self) -> Option<Rc<dyn Tap>> {
        let shared = self.0.as_ref()?;
        let is_observed = !shared.observers.borrow().is_empty();
        is_observed.then(|| Rc::clone(shared) as Rc<dyn Tap>)
    }

    /// A request message goes to the handler.
    pub(crate) fn received(&self, message: MessageBytes) {
        if let Some(shared) = &self.0 {
            shared.received(message);
        }
    }

    /// From here on the call goes its way apart from its watch.
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

/// Tells the interceptors of a call how it ended; dropped before that, that it was cancelled.
pub(crate) struct Watch {
    scope: Rc<Scope>,
    method: &'static str,
    head: Rc<RequestHead>,
    started: Duration,
    /// How many interceptors were asked, as far as is known here.
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

    /// The response message goes out.
    pub(crate) fn sent(&self, message: MessageBytes) {
        if let Some(shared) = &self.ends.0 {
            shared.sent(message);
        }
    }

    /// The call has ended.
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

/// The call is over: a panic of whoever hears of that has no caller to be told to. The panic hook
/// has written it down.
fn unharmed(tell: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(tell)));
}
