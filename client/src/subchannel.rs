//! Single connection of a channel: opened when a call needs it, and replaced when it is lost.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corespun_codec::Status;
use corespun_runtime::{connect, spawn, timeout};

use crate::config::Config;
use crate::keepalive::KeepaliveTime;
use crate::link::Link;
use crate::secure;
use crate::target::Target;

/// Address and the current connection to it.
pub(crate) struct Subchannel {
    target: Target,
    config: Config,
    keepalive_time: KeepaliveTime,
    /// False if there is a connection that cannot be replaced.
    connects: bool,
    state: RefCell<State>,
}

enum State {
    Idle,
    Connecting(Rc<Attempt>),
    Ready(Rc<Link>),
}

/// Source of a connection.
enum Source {
    /// Open connection.
    Open(Rc<Link>),
    /// Connection that cannot be replaced: it has yet to open, or has ended.
    Only(Rc<Link>),
    /// Attempt in progress.
    Attempt(Rc<Attempt>),
}

impl Subchannel {
    /// Creates a subchannel without a connection.
    pub(crate) fn new(target: Target, config: Config) -> Self {
        Self {
            target,
            keepalive_time: KeepaliveTime::new(&config),
            config,
            connects: true,
            state: RefCell::new(State::Idle),
        }
    }

    /// Creates a subchannel with this connection, which cannot be replaced.
    pub(crate) fn over(target: Target, config: Config, link: Rc<Link>) -> Self {
        Self {
            target,
            keepalive_time: KeepaliveTime::new(&config),
            config,
            connects: false,
            state: RefCell::new(State::Ready(link)),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn keepalive_time(&self) -> Duration {
        self.keepalive_time.now()
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the connection. All callers during an attempt wait for the same attempt.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE when the attempt failed.
    pub(crate) async fn link(self: &Rc<Self>) -> Result<Rc<Link>, Status> {
        match self.source() {
            Source::Open(link) => Ok(link),
            Source::Only(link) => link.established().await.map(|()| link),
            Source::Attempt(attempt) => poll_fn(|context| attempt.poll(context)).await,
        }
    }

    fn source(self: &Rc<Self>) -> Source {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Connecting(attempt) => Source::Attempt(Rc::clone(attempt)),
            State::Ready(link) if link.is_open() => Source::Open(Rc::clone(link)),
            State::Ready(link) if !self.connects => Source::Only(Rc::clone(link)),
            State::Idle | State::Ready(_) => {
                if matches!(&*state, State::Ready(link) if link.session().is_told_off()) {
                    self.keepalive_time.double();
                }
                let attempt = Rc::new(Attempt::default());
                *state = State::Connecting(Rc::clone(&attempt));
                self.start(&attempt);
                Source::Attempt(attempt)
            }
        }
    }

    /// Connects in a separate task, because the call that needed it first may be dropped meanwhile.
    fn start(self: &Rc<Self>, attempt: &Rc<Attempt>) {
        let (attempt, subchannel) = (Rc::clone(attempt), Rc::downgrade(self));
        let target = self.target.clone();
        let config = Config {
            keepalive_time: self.keepalive_time.now(),
            ..self.config.clone()
        };
        spawn(async move {
            let outcome = establish(&target, &config).await;
            if let Err(status) = &outcome {
                tracing::debug!(target = &**target.text(), %status, "no connection");
            }
            settle(&subchannel, &outcome);
            attempt.finish(outcome);
        });
    }
}

/// Stores the outcome of an attempt in the subchannel, if that still exists.
fn settle(subchannel: &Weak<Subchannel>, outcome: &Result<Rc<Link>, Status>) {
    match (subchannel.upgrade(), outcome) {
        (Some(subchannel), outcome) => {
            *subchannel.state.borrow_mut() = match outcome {
                Ok(link) => State::Ready(Rc::clone(link)),
                Err(_) => State::Idle,
            };
        }
        (None, Ok(link)) => link.retire(),
        (None, Err(_)) => {}
    }
}

impl Drop for Subchannel {
    fn drop(&mut self) {
        if let State::Ready(link) = self.state.get_mut() {
            link.retire();
        }
    }
}

/// Attempt to connect, and the callers that wait for it.
#[derive(Default)]
struct Attempt {
    outcome: RefCell<Option<Result<Rc<Link>, Status>>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Attempt {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Rc<Link>, Status>> {
        if let Some(outcome) = &*self.outcome.borrow() {
            return Poll::Ready(outcome.clone());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn finish(&self, outcome: Result<Rc<Link>, Status>) {
        *self.outcome.borrow_mut() = Some(outcome);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Connects, and waits for the server's SETTINGS, which limit the number of concurrent calls.
async fn establish(target: &Target, config: &Config) -> Result<Rc<Link>, Status> {
    let mut made = None;
    let attempt = async {
        let address = target.resolve().await?;
        let authority = Rc::clone(target.authority());
        let peer: Rc<str> = address.to_string().into();
        let connected = connect(&address, |socket| {
            let link = Rc::new(Link::new(authority, peer, config, socket));
            made = Some(Rc::clone(&link));
            secure::protocol(link, target, config)
        });
        connected
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        match &made {
            Some(link) => link.established().await,
            None => Ok(()),
        }
    };
    let outcome = match timeout(config.connect_timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(elapsed) => {
            let text = format!("failed to connect to {}: {elapsed}", target.text());
            Err(Status::unavailable(text))
        }
    };
    let no_link = || Status::unavailable(format!("failed to connect to {}", target.text()));
    match (made, outcome) {
        (Some(link), Ok(())) => Ok(link),
        (Some(link), Err(status)) => {
            link.close(status.clone());
            Err(status)
        }
        (None, outcome) => Err(outcome.err().unwrap_or_else(no_link)),
    }
}
