//! Notification of a call's end to its interceptors.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Tap;
use corespun_codec::{CallObserver, MessageBytes, Status};
use corespun_runtime::now;

use crate::interceptor::{Ended, Interceptor};

/// Callback for the end of one call.
type Tell = Box<dyn FnOnce(&Ended<'_>)>;

/// The interceptors of a channel, in order.
pub(crate) type Interceptors = Rc<[Rc<dyn Interceptor>]>;

/// Reports the messages and the end of a call to its interceptors; dropped early, it reports
/// CANCELLED.
pub(crate) struct Watch {
    interceptors: Interceptors,
    method: &'static str,
    started: Duration,
    /// Number of interceptors that ran.
    reached: Cell<usize>,
    /// Address that the request was sent to, once it was sent.
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

    /// Returns the time since the call started.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_sub(self.started)
    }

    /// Records that the request was sent to `peer`; returns true the first time.
    pub(crate) fn opened(&self, peer: &Rc<str>) -> bool {
        self.peer.set(Rc::clone(peer)).is_ok()
    }

    /// Reports the end of the call; only the first report counts.
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
