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
use crate::context::SEND_TIME_MAX;
use crate::engine::Engine;
use crate::error::{RunError, StartError};
use crate::launch::{self, Bound};
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

/// Beyond this, who stops a shard or hands it something would wait for too long.
const COALESCE_TIME_MAX: Duration = Duration::from_secs(1);

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
    pub(crate) send_time_max: Duration,
    pub(crate) coalesce_time: Duration,
    pub(crate) drain_delay: Duration,
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
            send_time_max: SEND_TIME_MAX,
            coalesce_time: Duration::ZERO,
            drain_delay: Duration::ZERO,
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
    /// the affinity mask, as far as the control groups' CPU quota pays for them and their memory
    /// limit has 64 MiB for each.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The CPUs to pin shards to, in turn. One that this process may not use leaves its shards to
    /// the scheduler, with a warning.
    ///
    /// By default shards are pinned only if the affinity mask is smaller than the machine and they
    /// fill it evenly: processes that share CPUs must not all choose the first ones.
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

    /// How long one send may be in flight before its socket is closed: a peer that reads nothing
    /// must not hold its socket and the output for good. A protocol keeps its sends small, so that
    /// this bounds how slowly a peer may read. Default: 60 seconds; [`Duration::MAX`] for no bound.
    pub fn send_time_max(mut self, bound: Duration) -> Self {
        self.send_time_max = bound;
        self
    }

    /// How long a busy shard may wait for more to arrive before it looks at what has, at most a
    /// second: what is dealt with together costs less CPU time, and every call is later by up to
    /// this, as is what other threads hand over. A shard is busy if its last turn dealt with eight
    /// sockets or more; others wait for nothing. What [`measure_lag`](crate::measure_lag) tells
    /// leaves this wait out. Default: no time at all.
    pub fn coalesce_time(mut self, time: Duration) -> Self {
        self.coalesce_time = time.min(COALESCE_TIME_MAX);
        self
    }

    /// How long shards go on after the first signal before they drain, so that those who send
    /// new connections learn of it. Default: no time at all.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Sizes of each shard's ring and receive buffers; epoll has no use for them.
    pub fn ring(mut self, ring: RingOptions) -> Self {
        self.ring = ring;
        self
    }

    /// Blocks SIGTERM and SIGINT in the calling thread before any shard starts, so that none is
    /// lost between the start and [`Running::wait_for_signal`]. Signals that would end the process
    /// without a use are blocked too, unless the program handles them: SIGHUP, SIGUSR1, SIGUSR2,
    /// SIGALRM, SIGVTALRM, SIGIO, SIGPWR and SIGXFSZ.
    pub fn catch_signals(mut self) -> Self {
        self.catch_signals = true;
        self
    }

    /// Has [`Running::wait_for_signal`] tell of SIGHUP, also if the process was started with it
    /// ignored, as by nohup.
    pub fn catch_hangup(mut self) -> Self {
        self.catch_hangup = true;
        self
    }

    /// Listens on all addresses, and starts nothing so far: a taken port is found before work is
    /// done for a start, and the number of a port that the kernel chose can be read.
    ///
    /// The soft limit of open descriptors is raised to the hard one for this process.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, or the settings contradict each other.
    pub fn bind(self) -> Result<Bound, StartError> {
        launch::bind(self)
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
        self.bind()?.start(factory)
    }
}

/// What [`Running::wait_for_signal`] tells of while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// SIGTERM or SIGINT came, for the first time: after the delay the drain begins.
    Draining,
    /// SIGHUP came: settings are to be read anew.
    Hangup,
}

/// Shards at work. Dropping it stops them at once.
pub struct Running {
    pub(crate) mailboxes: Arc<[Arc<Mailbox>]>,
    pub(crate) threads: Vec<thread::JoinHandle<Result<(), RunError>>>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) engine: Engine,
    pub(crate) grace: Duration,
    pub(crate) drain_delay: Duration,
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

    /// Waits for SIGTERM or SIGINT, says so to `tell`, lets the delay pass and drains within the
    /// grace; a second signal ends it now. Each SIGHUP is told of too, if the builder was to
    /// [`catch_hangup`](RuntimeBuilder::catch_hangup). Signals without a use are logged.
    ///
    /// Blocks these signals in the calling thread, which should be the main one. They must be
    /// blocked in every thread of the process: see [`RuntimeBuilder::catch_signals`].
    ///
    /// # Errors
    ///
    /// When a shard ended other than by being stopped, or signals cannot be waited for.
    pub fn wait_for_signal(mut self, mut tell: impl FnMut(Notice)) -> Result<(), RunError> {
        let signals = Signals::open(self.catch_hangup).map_err(RunError::Signals)?;
        let (mut signalled, mut drain_at, mut ended) = (false, None, 0);
        while ended < self.threads.len() {
            let news = signals.wait(&self.ended, drain_at);
            match news.map_err(RunError::Signals)? {
                News::Ended(count) => ended += count,
                News::Hangup if self.catch_hangup => tell(Notice::Hangup),
                News::Hangup => tracing::info!("SIGHUP: there is nothing to read anew"),
                News::Idle(signal) => tracing::info!(signal, "this signal has no use here"),
                News::Time => {
                    drain_at = None;
                    tracing::info!(grace = ?self.grace, "draining");
                    self.stop();
                }
                News::End(signal) if !signalled => {
                    tracing::info!(signal, delay = ?self.drain_delay, "about to drain");
                    signalled = true;
                    tell(Notice::Draining);
                    drain_at = Some(clock::now().saturating_add(self.drain_delay));
                }
                News::End(signal) => {
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
