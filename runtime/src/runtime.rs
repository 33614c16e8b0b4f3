//! Shards on threads of their own: the builder, and the handle of what it started.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::address::Address;
use crate::balance::Balance;
use crate::clock;
use crate::engine::Engine;
use crate::error::{RunError, StartError};
use crate::launch;
use crate::mailbox::{Mailbox, Message};
use crate::net::SocketFile;
use crate::protocol::Accept;
use crate::ring::RingOptions;
use crate::signal::{Ended, News, Signals};

/// How long a graceful shutdown may take unless set otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// Numbers a shard within its runtime: 0 to `shards - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub(crate) usize);

impl ShardId {
    /// The number.
    pub fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where runtimes come from: see [`Runtime::builder`].
#[derive(Debug)]
pub struct Runtime(());

impl Runtime {
    /// A builder with default settings: no address, a shard per CPU, the best engine.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }
}

/// Settings of a runtime to be started.
#[derive(Debug, Clone)]
#[must_use = "nothing starts before `start`"]
pub struct RuntimeBuilder {
    pub(crate) addresses: Vec<Address>,
    pub(crate) shards: Option<usize>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) engine: Engine,
    pub(crate) balance: Balance,
    pub(crate) grace: Duration,
    pub(crate) ring: RingOptions,
    pub(crate) catch_signals: bool,
    pub(crate) catch_hangup: bool,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            shards: None,
            cpus: None,
            engine: Engine::Auto,
            balance: Balance::default(),
            grace: GRACE,
            ring: RingOptions::default(),
            catch_signals: false,
            catch_hangup: false,
        }
    }
}

impl RuntimeBuilder {
    /// Listens on `address`, too: may be called several times.
    pub fn listen(mut self, address: Address) -> Self {
        self.addresses.push(address);
        self
    }

    /// How many shards. Default: as many as [`cpus`](Self::cpus) lists, or else one per CPU of
    /// the affinity mask, as far as the control group's CPU quota pays for them.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The CPUs to pin shards to, in turn. Default: those of the affinity mask.
    pub fn cpus(mut self, cpus: Vec<usize>) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// What drives the sockets. Default: [`Engine::Auto`].
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// How connections are spread over shards. Default: [`Balance::Balanced`].
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// How long a graceful shutdown may take. Default: 30 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sizes of each shard's ring and receive buffers; epoll has no use for them.
    pub fn ring(mut self, ring: RingOptions) -> Self {
        self.ring = ring;
        self
    }

    /// Blocks SIGTERM and SIGINT in the calling thread before any shard starts, so that none is
    /// lost between the start and [`Running::wait_for_signal`].
    pub fn catch_signals(mut self) -> Self {
        self.catch_signals = true;
        self
    }

    /// Blocks SIGHUP in all shards, and by [`catch_signals`](Self::catch_signals) in the calling
    /// thread, so that [`Running::wait_for_signals`] gets it instead of the process being ended.
    pub fn catch_hangup(mut self) -> Self {
        self.catch_hangup = true;
        self
    }

    /// Starts the shards. `factory` is called once on each shard's thread, and what it makes
    /// stays there: it needs to be neither `Send` nor `Sync`.
    ///
    /// Connections are accepted only after every shard is ready.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong on any shard; all others are stopped again.
    pub fn start<F>(self, factory: F) -> Result<Running, StartError>
    where
        F: Fn(ShardId) -> Result<Box<dyn Accept>, Box<dyn Error + Send + Sync>>
            + Send
            + Sync
            + 'static,
    {
        launch::start(self, Arc::new(factory))
    }
}

/// Shards at work. Dropping it stops them at once.
pub struct Running {
    pub(crate) mailboxes: Arc<[Arc<Mailbox>]>,
    pub(crate) threads: Vec<thread::JoinHandle<Result<(), RunError>>>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) engine: Engine,
    pub(crate) grace: Duration,
    pub(crate) catch_hangup: bool,
    pub(crate) ended: Arc<Ended>,
    /// Removed from the file system when the shards are gone.
    pub(crate) files: Vec<SocketFile>,
}

impl Running {
    /// The addresses listened on, in the order they were given, with the ports really in use.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The engine in use: never [`Engine::Auto`].
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    /// Begins a graceful shutdown: nothing new is accepted, every connection is asked to
    /// [`drain`](crate::Protocol::drain), and shards end when their sockets are gone or the
    /// grace is over.
    pub fn stop(&self) {
        let deadline = clock::now().saturating_add(self.grace);
        self.tell_all(|| Message::Drain { deadline });
    }

    /// Begins an immediate shutdown.
    pub fn stop_now(&self) {
        self.tell_all(|| Message::Stop);
    }

    /// Waits until all shards have ended.
    ///
    /// # Errors
    ///
    /// When a shard ended other than by being stopped.
    pub fn join(mut self) -> Result<(), RunError> {
        self.join_all()
    }

    /// Waits for SIGTERM or SIGINT, then drains within the grace; a second signal ends it now.
    ///
    /// Blocks both signals in the calling thread, which should be the main one. They must be
    /// blocked in every thread of the process: see [`RuntimeBuilder::catch_signals`].
    ///
    /// # Errors
    ///
    /// When a shard ended other than by being stopped, or signals cannot be waited for.
    pub fn wait_for_signal(self) -> Result<(), RunError> {
        self.wait_for_signals(|| {})
    }

    /// The same, and calls `on_hangup` for each SIGHUP, if the builder was told to
    /// [`catch_hangup`](RuntimeBuilder::catch_hangup).
    ///
    /// # Errors
    ///
    /// As [`wait_for_signal`](Self::wait_for_signal).
    pub fn wait_for_signals(mut self, mut on_hangup: impl FnMut()) -> Result<(), RunError> {
        let signals = Signals::open(self.catch_hangup).map_err(RunError::Signals)?;
        let (mut draining, mut ended) = (false, 0);
        while ended < self.threads.len() {
            match signals.wait(&self.ended).map_err(RunError::Signals)? {
                News::Ended(count) => ended += count,
                News::Hangup => on_hangup(),
                News::Signal(signal) if !draining => {
                    tracing::info!(signal, grace = ?self.grace, "draining");
                    draining = true;
                    self.stop();
                }
                News::Signal(signal) => {
                    tracing::info!(signal, "stopping at once");
                    self.stop_now();
                }
            }
        }
        self.join_all()
    }

    fn tell_all(&self, message: impl Fn() -> Message) {
        for mailbox in self.mailboxes.iter() {
            // A shard that has ended needs no telling.
            drop(mailbox.post(message()));
        }
    }

    fn join_all(&mut self) -> Result<(), RunError> {
        let mut result = Ok(());
        for (shard, thread) in self.threads.drain(..).enumerate() {
            let ended = thread.join().unwrap_or_else(|_| {
                let reason = "its thread panicked".to_owned();
                Err(RunError::Shard { shard, reason })
            });
            result = result.and(ended);
        }
        self.files.clear();
        result
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_now();
        if let Err(error) = self.join_all() {
            tracing::error!(%error, "a shard did not end well");
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .field("engine", &self.engine)
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}

/// The error of a shard that could not be set up.
pub(crate) fn shard_error(shard: usize) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Shard { shard, source }
}
