//! Waiting for a call's end on behalf of its interceptors.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Tap;
use corespun_codec::{CallObserver, MessageBytes, Status};
use corespun_runtime::now;

use crate::interceptor::{Ended, Interceptor};

/// What one call wants told about its end.
type Tell = Box<dyn FnOnce(&Ended<'_>)>;

/// The interceptors of a channel, in order.
pub(crate) type Interceptors = Rc<[Rc<dyn Interceptor>]>;

/// Tells those around a call of its messages and of how it ended; dropped before that, that it was
/// cancelled.
pub(crate) struct Watch {
    interceptors: Interceptors,
    method: &'static str,
    started: Duration,
    /// How many interceptors were asked.
    reached: Cell<usize>,
    /// Where the request was sent, once it was.
    peer: OnceCell<Rc<str>>,
    tell: RefCell<Vec<Tell>>,
    observers: RefCell<Vec<Rc<dyn CallObserver>>>,
    done: Cell<bool>,
}

impl Watch {
    pub(crate) fn new(interceptors: &Interceptors, method: &'static str) -> Self {
        Self {
            interceptors: Rc::clone(interceptors),
            method,
            started: now(),
            reached: Cell::new(0),
            peer: OnceCell::new(),
            tell: RefCell::default(),
            observers: RefCell::default(),
            done: Cell::new(false),
        }
    }

    pub(crate) fn on_end(&self, tell: Tell) {
        self.tell.borrow_mut().push(tell);
    }

    pub(crate) fn observe(&self, observer: Rc<dyn CallObserver>) {
        self.observers.borrow_mut().push(observer);
    }

    pub(crate) fn set_reached(&self, reached: usize) {
        self.reached.set(reached);
    }

    /// How long the call has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_sub(self.started)
    }

    /// The request was sent to `peer`, for the first time or once more; true the first time.
    pub(crate) fn opened(&self, peer: &Rc<str>) -> bool {
        self.peer.set(Rc::clone(peer)).is_ok()
    }

    /// The call has ended; only the first word counts.
    pub(crate) fn end(&self, outcome: Result<(), &Status>) {
        if self.done.replace(true) {
            return;
        }
        let ended = Ended {
            method: self.method,
            peer: self.peer.get().map(|peer| &**peer),
            outcome,
            elapsed: self.elapsed(),
        };
        for tell in self.tell.take() {
            tell(&ended);
        }
        for observer in self.observers.take() {
            observer.ended(outcome, ended.elapsed);
        }
        for interceptor in self.interceptors[..self.reached.get()].iter().rev() {
            interceptor.end(&ended);
        }
    }
}

impl Tap for Watch {
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

    fn ended(&self, outcome: Result<(), &Status>) {
        self.end(outcome);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.done.get() {
            let status = Status::cancelled("the call was dropped before its end");
            self.end(Err(&status));
        }
    }
}
