//! Waiting for a call's end on behalf of its interceptors.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{RequestHead, Status};
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
}

impl Ends {
    pub(crate) fn push(&mut self, tell: Tell) {
        self.shared().tell.borrow_mut().push(tell);
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
