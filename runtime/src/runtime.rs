//! Runtime with shards on threads of their own: its builder, and the handle of a started one.

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

/// Default limit on the time of a graceful shutdown.
const GRACE: Duration = Duration::from_secs(30);

/// Number of a shard within its runtime: 0 to `shards - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub(crate) usize);

impl ShardId {
    /// Returns the number.
    pub fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Largest coalescing time: with a longer one, a stop or a message from another thread would wait
/// too long.
const COALESCE_TIME_MAX: Duration = Duration::from_secs(1);

/// Entry point to runtimes: see [`Runtime::builder`].
#[derive(Debug)]
pub struct Runtime(());

impl Runtime {
    /// Returns a builder with default settings: no address, a shard per CPU, the best engine.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }
}

/// Builder of a runtime.
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
    /// Adds an address to listen on; may be called several times.
    pub fn listen(mut self, address: Address) -> Self {
        self.addresses.push(address);
        self
    }

    /// Sets the number of shards. Default: as many as [`cpus`](Self::cpus) lists, or else one per
    /// CPU of the affinity mask, limited by the control groups' CPU quota and by 64 MiB of their
    /// memory limit for each shard.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Sets the CPUs to pin shards to, in turn. Shards of a CPU that this process may not use are
    /// left to the scheduler, with a warning.
    ///
    /// By default shards are pinned only if the affinity mask is smaller than the machine and they
    /// fill it evenly: processes that share CPUs must not all choose the first ones.
    pub fn cpus(mut self, cpus: Vec<usize>) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// Sets the engine that drives the sockets. Default: [`Engine::Auto`].
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Sets how connections are distributed over shards. Default: [`Balance::Balanced`].
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// Sets the longest time of a graceful shutdown. Default: 30 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the longest time that one send may be in flight before its socket is closed, so that a
    /// peer that reads nothing cannot hold its socket and the output forever. A protocol keeps its
    /// sends small, so that this limits how slowly a peer may read. Default: 60 seconds;
    /// [`Duration::MAX`] for no limit.
    pub fn send_time_max(mut self, bound: Duration) -> Self {
        self.send_time_max = bound;
        self
    }

    /// Sets the time that a busy shard may wait for more events before it processes those it has,
    /// at most a second. Events processed together cost less CPU time, but every call, and every
    /// message from another thread, is delayed by up to this time. A shard is busy if its last turn
    /// processed eight sockets or more; other shards do not wait.
    /// [`measure_lag`](crate::measure_lag) does not count this wait. Default: zero.
    pub fn coalesce_time(mut self, time: Duration) -> Self {
        self.coalesce_time = time.min(COALESCE_TIME_MAX);
        self
    }

    /// Sets the time that shards continue after the first signal before they drain, so that load
    /// balancers can learn of it. Default: zero.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Sets the sizes of each shard's ring and receive buffers; not used by epoll.
    pub fn ring(mut self, ring: RingOptions) -> Self {
        self.ring = ring;
        self
    }

    /// Blocks SIGTERM and SIGINT in the calling thread before any shard starts, so that none is
    /// lost between the start and [`Running::wait_for_signal`]. Signals without a use that would
    /// end the process are blocked too, unless the program handles them: SIGHUP, SIGUSR1, SIGUSR2,
    /// SIGALRM, SIGVTALRM, SIGIO, SIGPWR and SIGXFSZ.
    pub fn catch_signals(mut self) -> Self {
        self.catch_signals = true;
        self
    }

    /// Makes [`Running::wait_for_signal`] report SIGHUP, even if the process was started with it
    /// ignored, as by nohup.
    pub fn catch_hangup(mut self) -> Self {
        self.catch_hangup = true;
        self
    }

    /// Listens on all addresses without starting shards, so that a port in use is reported early,
    /// and the number of a port that the kernel chose can be read.
    ///
    /// Raises the soft limit on open descriptors to the hard limit for this process.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, or the settings contradict each other.
    pub fn bind(self) -> Result<Bound, StartError> {
        launch::bind(self)
    }

    /// Starts the shards. `factory` is called once on each shard's thread, and its result stays
    /// there: it needs to be neither `Send` nor `Sync`.
    ///
    /// Connections are accepted only after every shard is ready.
    ///
    /// # Errors
    ///
    /// The first error of any shard; all others are stopped again.
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

/// Notice that [`Running::wait_for_signal`] gives while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// First SIGTERM or SIGINT: the drain begins after the delay.
    Draining,
    /// SIGHUP: reload the settings.
    Hangup,
}

/// Handle of running shards. Dropping it stops them at once.
pub struct Running {
    pub(crate) mailboxes: Arc<[Arc<Mailbox>]>,
    pub(crate) threads: Vec<thread::JoinHandle<Result<(), RunError>>>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) engine: Engine,
    pub(crate) grace: Duration,
    pub(crate) drain_delay: Duration,
    pub(crate) catch_hangup: bool,
    pub(crate) ended: Arc<Ended>,
    /// Files of Unix sockets, removed when the shards are gone.
    pub(crate) files: Vec<SocketFile>,
}

impl Running {
    /// Returns the addresses listened on, in the order given, with the ports actually in use.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Returns the engine in use: never [`Engine::Auto`].
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the number of shards.
    pub fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    /// Begins a graceful shutdown: no new connection is accepted, every connection is asked to
    /// [`drain`](crate::Protocol::drain), and shards end when their sockets are closed or the grace
    /// time is over.
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

    /// Waits for SIGTERM or SIGINT, reports it to `tell`, waits for the drain delay and drains
    /// within the grace time; a second signal ends the runtime at once. Each SIGHUP is also
    /// reported if the builder had [`catch_hangup`](RuntimeBuilder::catch_hangup). Signals without
    /// a use are logged.
    ///
    /// Blocks these signals in the calling thread, which should be the main one. They must be
    /// blocked in every thread of the process: see [`RuntimeBuilder::catch_signals`].
    ///
    /// # Errors
    ///
    /// A shard ended by itself, or waiting for signals failed.
    pub fn wait_for_signal(mut self, mut tell: impl FnMut(Notice)) -> Result<(), RunError> {
        let signals = Signals::open(self.catch_hangup).map_err(RunError::Signals)?;
        let (mut signalled, mut drain_at, mut ended) = (false, None, 0);
        while ended < self.threads.len() {
            let news = signals.wait(&self.ended, drain_at);
            match news.map_err(RunError::Signals)? {
                News::Ended(count) => ended += count,
                News::Hangup if self.catch_hangup => tell(Notice::Hangup),
                News::Hangup => tracing::info!("SIGHUP: there are no settings to reload"),
                News::Idle(signal) => tracing::info!(signal, "signal ignored: it has no use here"),
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
            tracing::error!(%error, "a shard ended with an error");
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

/// Returns a function that makes the error of a shard that could not be set up.
pub(crate) fn shard_error(shard: usize) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Shard { shard, source }
}
