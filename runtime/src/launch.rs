//! Start of a runtime: from settings to bound sockets, then to running shards.

mod thread;

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;

use socket2::Socket;

use crate::address::Address;
use crate::balance::{Balance, Loads};
use crate::cpu;
use crate::engine::{self, Choice, Engine};
use crate::error::StartError;
use crate::mailbox::{Mailbox, Message};
use crate::net::{self, Manner, SocketFile};
use crate::protocol::Accept;
use crate::rlimit;
use crate::runtime::{Running, RuntimeBuilder, ShardId, shard_error};
use crate::signal::{self, Ended};
use thread::{Plan, Prepared};

type Made = Result<Box<dyn Accept>, Box<dyn Error + Send + Sync>>;
type Factory = dyn Fn(ShardId) -> Made + Send + Sync;

/// Listeners of all shards.
struct Listeners {
    addresses: Vec<Address>,
    files: Vec<SocketFile>,
    /// For each listener, whether its connections may go to shards other than the accepting one.
    spread: Vec<bool>,
    /// For each shard, its sockets with the index of the listener.
    sockets: Vec<Vec<(usize, Socket)>>,
}

/// Runtime that listens on its addresses and has no shards yet: see [`RuntimeBuilder::bind`].
///
/// The kernel queues new connections until [`start`](Self::start). Dropping it closes the sockets.
#[must_use = "nothing is served before `start`"]
pub struct Bound {
    builder: RuntimeBuilder,
    /// For each shard, the CPU to pin it to.
    pins: Vec<Option<usize>>,
    listeners: Listeners,
}

pub(crate) fn bind(builder: RuntimeBuilder) -> Result<Bound, StartError> {
    let shards = match (builder.shards, &builder.cpus) {
        (Some(0), _) => return Err(StartError::Settings("0 shards asked for".to_owned())),
        (Some(shards), _) => shards,
        (None, Some(cpus)) => cpus.len().max(1),
        (None, None) => cpu::default_shards(),
    };
    rlimit::raise_descriptors();
    let pins = cpu::plan(shards, builder.cpus.as_deref())?;
    let listeners = listen(&builder, &pins)?;
    Ok(Bound {
        builder,
        pins,
        listeners,
    })
}

impl Bound {
    /// Returns the addresses listened on, in the order given, with the ports actually in use.
    pub fn addresses(&self) -> &[Address] {
        &self.listeners.addresses
    }

    /// Returns the number of shards that [`start`](Self::start) will start.
    pub fn shards(&self) -> usize {
        self.pins.len()
    }

    /// Catches signals, as [`RuntimeBuilder::catch_signals`] does.
    pub fn catch_signals(mut self) -> Self {
        self.builder = self.builder.catch_signals();
        self
    }

    /// Catches SIGHUP, as [`RuntimeBuilder::catch_hangup`] does.
    pub fn catch_hangup(mut self) -> Self {
        self.builder = self.builder.catch_hangup();
        self
    }

    /// Starts the shards, as [`RuntimeBuilder::start`] does.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong on any shard; all others are stopped again.
    pub fn start<F>(self, factory: F) -> Result<Running, StartError>
    where
        F: Fn(ShardId) -> Made + Send + Sync + 'static,
    {
        self.launch(Arc::new(factory))
    }

    fn launch(self, factory: Arc<Factory>) -> Result<Running, StartError> {
        let Self {
            builder,
            pins,
            mut listeners,
        } = self;
        let shards = pins.len();
        let choice = engine::choose(builder.engine, shards, &builder.ring)?;
        if builder.catch_signals {
            signal::block(builder.catch_hangup).map_err(shard_error(0))?;
        }
        let peers = (0..shards)
            .map(|shard| Mailbox::new().map(Arc::new).map_err(shard_error(shard)))
            .collect::<Result<Arc<[_]>, _>>()?;
        let ended = Arc::new(Ended::new().map_err(shard_error(0))?);
        let mut running = Running {
            mailboxes: peers.clone(),
            threads: Vec::with_capacity(shards),
            addresses: listeners.addresses,
            engine: choice.engine,
            grace: builder.grace,
            drain_delay: builder.drain_delay,
            catch_hangup: builder.catch_hangup,
            ended: ended.clone(),
            files: listeners.files,
        };
        let loads = Loads::new(shards);
        let (prepared, preparations) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let mut verdicts = Vec::with_capacity(shards);
        for (shard, pin) in pins.into_iter().enumerate() {
            let (verdict, settled) = mpsc::channel();
            verdicts.push(verdict);
            let plan = Plan {
                shard,
                pin,
                engine: choice.engine,
                ring: builder.ring,
                send_time_max: builder.send_time_max,
                coalesce_time: builder.coalesce_time,
                peers: peers.clone(),
                loads: loads.clone(),
                spread: listeners.spread.clone(),
                listeners: std::mem::take(&mut listeners.sockets[shard]),
                factory: factory.clone(),
                catch_hangup: builder.catch_hangup,
                ended: ended.clone(),
                settled,
            };
            let started = thread::start(plan, prepared.clone(), report.clone());
            running.threads.push(started.map_err(shard_error(shard))?);
        }
        drop((prepared, report));
        // Returning early drops `running`, which stops the shards that did start.
        running.engine = settle(choice, shards, &builder, &preparations)?;
        for verdict in verdicts {
            // A shard that is gone says why in its report.
            let _ = verdict.send(running.engine);
        }
        for ready in reports {
            ready?;
        }
        for mailbox in peers.iter() {
            drop(mailbox.post(Message::Begin));
        }
        Ok(running)
    }
}

/// Waits until every shard has set up its engine or failed to. Returns the engine that all of them
/// can use.
fn settle(
    choice: Choice,
    shards: usize,
    builder: &RuntimeBuilder,
    preparations: &mpsc::Receiver<Prepared>,
) -> Result<Engine, StartError> {
    let mut refusal = None;
    for prepared in preparations {
        if let Err(error) = prepared {
            refusal.get_or_insert(error);
        }
    }
    match refusal {
        None => Ok(choice.engine),
        Some(error) if choice.can_fall_back => {
            engine::warn_of_epoll(&error, shards, &builder.ring);
            Ok(Engine::Epoll)
        }
        Some(source) => Err(StartError::Engine {
            engine: choice.engine,
            source: engine::explain(source, shards, &builder.ring),
        }),
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("addresses", &self.addresses())
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}

/// Binds all addresses: one socket per shard, or a single one if the address cannot be shared.
fn listen(builder: &RuntimeBuilder, pins: &[Option<usize>]) -> Result<Listeners, StartError> {
    let shards = pins.len();
    let mut all = Listeners {
        addresses: Vec::new(),
        files: Vec::new(),
        spread: Vec::new(),
        sockets: (0..shards).map(|_| Vec::new()).collect(),
    };
    let steer = match builder.balance {
        Balance::Cpu => pins,
        Balance::Balanced | Balance::ReusePort => &[],
    };
    for (index, address) in builder.addresses.iter().enumerate() {
        let manner = Manner {
            count: shards,
            steer,
            only_v6: has_v4_sibling(address, &builder.addresses),
        };
        let bound = net::listen(address, manner).map_err(|source| StartError::Listen {
            address: address.clone(),
            source,
        })?;
        // A Unix listener is one socket on shard 0, so its connections always spread.
        let is_single = bound.sockets.len() < shards;
        all.spread
            .push(shards > 1 && (is_single || builder.balance == Balance::Balanced));
        all.addresses.push(bound.address);
        all.files.extend(bound.file);
        for (shard, socket) in bound.sockets.into_iter().enumerate() {
            all.sockets[shard].push((index, socket));
        }
    }
    Ok(all)
}

/// Returns `true` if the port of `address` is also to be listened on at `0.0.0.0`, which would be
/// in use if `[::]` came first and accepted IPv4 connections.
fn has_v4_sibling(address: &Address, all: &[Address]) -> bool {
    let Address::Tcp(address) = address else {
        return false;
    };
    let sibling = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    address.port() != 0 && all.contains(&Address::Tcp(sibling))
}
