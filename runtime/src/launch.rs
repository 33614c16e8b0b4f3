//! From settings to running shards.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use socket2::Socket;

use crate::address::Address;
use crate::balance::{Balance, Loads};
use crate::context::{self, Context};
use crate::cpu;
use crate::driver::Driver;
use crate::engine::{self, Engine};
use crate::error::{RunError, StartError};
use crate::local::make_driver;
use crate::mailbox::{Mailbox, Message};
use crate::net::{self, SocketFile};
use crate::protocol::Accept;
use crate::ring::RingOptions;
use crate::runtime::{Running, RuntimeBuilder, ShardId, shard_error};
use crate::shard::{Service, Shard};
use crate::signal::{self, Ended};
use crate::task::panic_message;

type Made = Result<Box<dyn Accept>, Box<dyn Error + Send + Sync>>;
type Report = mpsc::Sender<Result<(), StartError>>;
type Factory = dyn Fn(ShardId) -> Made + Send + Sync;

/// The listeners of all shards.
struct Listeners {
    addresses: Vec<Address>,
    files: Vec<SocketFile>,
    /// By listener: whether its connections may go to other shards than the accepting one.
    spread: Vec<bool>,
    /// By shard: its sockets, each with the listener's index.
    sockets: Vec<Vec<(usize, Socket)>>,
}

/// Everything a shard's thread needs.
struct Plan {
    shard: usize,
    cpu: usize,
    engine: Engine,
    ring: RingOptions,
    send_time_max: Duration,
    coalesce_time: Duration,
    peers: Arc<[Arc<Mailbox>]>,
    loads: Arc<Loads>,
    spread: Vec<bool>,
    listeners: Vec<(usize, Socket)>,
    factory: Arc<Factory>,
    catch_hangup: bool,
    ended: Arc<Ended>,
}

pub(crate) fn start(builder: RuntimeBuilder, factory: Arc<Factory>) -> Result<Running, StartError> {
    let shards = match (builder.shards, &builder.cpus) {
        (Some(0), _) => return Err(StartError::Settings("0 shards asked for".to_owned())),
        (Some(shards), _) => shards,
        (None, Some(cpus)) => cpus.len().max(1),
        (None, None) => cpu::default_shards(),
    };
    let cpus = cpu::plan(shards, builder.cpus.as_deref())?;
    let engine = engine::choose(builder.engine)?;
    let mut listeners = listen(&builder, &cpus)?;
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
        engine,
        grace: builder.grace,
        drain_delay: builder.drain_delay,
        catch_hangup: builder.catch_hangup,
        ended: ended.clone(),
        files: listeners.files,
    };
    let loads = Loads::new(shards);
    let (report, reports) = mpsc::channel();
    for (shard, cpu) in cpus.into_iter().enumerate() {
        let plan = Plan {
            shard,
            cpu,
            engine,
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
        };
        let report = report.clone();
        let thread = thread::Builder::new().name(format!("shard-{shard}"));
        let thread = thread.spawn(move || run(plan, report));
        running.threads.push(thread.map_err(shard_error(shard))?);
    }
    drop(report);
    // Returning early drops `running`, which stops the shards that did start.
    for ready in reports {
        ready?;
    }
    for mailbox in peers.iter() {
        drop(mailbox.post(Message::Begin));
    }
    Ok(running)
}

/// Binds all addresses: a socket per shard, except where one must do.
fn listen(builder: &RuntimeBuilder, cpus: &[usize]) -> Result<Listeners, StartError> {
    let shards = cpus.len();
    let mut all = Listeners {
        addresses: Vec::new(),
        files: Vec::new(),
        spread: Vec::new(),
        sockets: (0..shards).map(|_| Vec::new()).collect(),
    };
    let steer = (builder.balance == Balance::Cpu).then_some(cpus);
    for (index, address) in builder.addresses.iter().enumerate() {
        let bound = net::listen(address, shards, steer).map_err(|source| StartError::Listen {
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

/// A shard's thread, from its first line to its last.
fn run(plan: Plan, report: Report) -> Result<(), RunError> {
    let shard = plan.shard;
    // Declared first, so that it speaks last: also when the shard panics.
    let mut last_words = LastWords {
        peers: plan.peers.clone(),
        ended: plan.ended.clone(),
        is_clean: false,
    };
    let result = serve(plan, report).map_err(|error| RunError::Shard {
        shard,
        reason: error.to_string(),
    });
    last_words.is_clean = result.is_ok();
    result
}

/// Sets the shard up, reports how that went, and turns until stopped.
fn serve(plan: Plan, report: Report) -> io::Result<()> {
    let shard = plan.shard;
    let ready = signal::block(plan.catch_hangup)
        .map_err(shard_error(shard))
        .and_then(|_| set_up(&plan));
    let (context, driver) = match ready {
        Ok(parts) => parts,
        Err(error) => {
            // Nobody listens when another shard failed first.
            let _ = report.send(Err(error));
            return Ok(());
        }
    };
    let _entered = context::enter(context.clone());
    let made = catch_unwind(AssertUnwindSafe(|| (plan.factory)(ShardId(shard))));
    let made = made.unwrap_or_else(|payload| {
        let message = panic_message(&*payload).unwrap_or("no message");
        Err(format!("it panicked: {message}").into())
    });
    let accept = match made {
        Ok(accept) => accept,
        Err(source) => {
            let _ = report.send(Err(StartError::Service { shard, source }));
            return Ok(());
        }
    };
    let service = Service {
        accept,
        loads: plan.loads,
        spread: plan.spread,
        listeners: plan.listeners,
    };
    let mut shard = Shard::new(context, driver, Some(service));
    if report.send(Ok(())).is_err() {
        return Ok(());
    }
    // The starting thread waits until every report was given or dropped.
    drop(report);
    shard.run()
}

fn set_up(plan: &Plan) -> Result<(Rc<Context>, Box<dyn Driver>), StartError> {
    cpu::pin(plan.cpu)?;
    let mailbox = plan.peers[plan.shard].clone();
    let mut context = Context::new(plan.shard, mailbox, plan.peers.clone());
    context.send_time_max = plan.send_time_max;
    context.coalesce_time = plan.coalesce_time;
    let context = Rc::new(context);
    let driver =
        make_driver(plan.engine, &plan.ring, &context).map_err(|source| StartError::Engine {
            engine: plan.engine,
            source,
        })?;
    Ok((context, driver))
}

/// Tells the main thread when a shard ends, and the other shards when it did not end well.
struct LastWords {
    peers: Arc<[Arc<Mailbox>]>,
    ended: Arc<Ended>,
    is_clean: bool,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if !self.is_clean {
            for mailbox in self.peers.iter() {
                drop(mailbox.post(Message::Stop));
            }
        }
        self.ended.announce();
    }
}
