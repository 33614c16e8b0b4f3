//! Thread of a shard, from its start to its end.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use socket2::Socket;

use super::Factory;
use crate::balance::Loads;
use crate::context::{self, Context};
use crate::cpu;
use crate::driver::Driver;
use crate::engine::Engine;
use crate::error::{RunError, StartError};
use crate::local::make_driver;
use crate::mailbox::{Mailbox, Message};
use crate::protocol::Accept;
use crate::ring::RingOptions;
use crate::runtime::{ShardId, shard_error};
use crate::shard::{Service, Shard};
use crate::signal::{self, Ended};
use crate::task::panic_message;

/// Outcome of setting up the engine of a shard.
pub(super) type Prepared = io::Result<()>;
/// Outcome of making a shard ready to serve.
pub(super) type Report = Result<(), StartError>;

/// Settings and channels of a shard's thread.
pub(super) struct Plan {
    pub(super) shard: usize,
    /// CPU to pin the thread to.
    pub(super) pin: Option<usize>,
    pub(super) engine: Engine,
    pub(super) ring: RingOptions,
    pub(super) send_time_max: Duration,
    pub(super) coalesce_time: Duration,
    pub(super) peers: Arc<[Arc<Mailbox>]>,
    pub(super) loads: Arc<Loads>,
    pub(super) spread: Vec<bool>,
    pub(super) listeners: Vec<(usize, Socket)>,
    pub(super) factory: Arc<Factory>,
    pub(super) catch_hangup: bool,
    pub(super) ended: Arc<Ended>,
    /// Engine that all shards use in the end.
    pub(super) settled: Receiver<Engine>,
}

/// Starts the thread. It sends to `prepared` once its engine is set up, and to `report` once it is
/// ready; it ends if the receiver of either is gone.
pub(super) fn start(
    plan: Plan,
    prepared: Sender<Prepared>,
    report: Sender<Report>,
) -> io::Result<JoinHandle<Result<(), RunError>>> {
    let thread = Builder::new().name(format!("shard-{}", plan.shard));
    thread.spawn(move || run(plan, prepared, report))
}

fn run(plan: Plan, prepared: Sender<Prepared>, report: Sender<Report>) -> Result<(), RunError> {
    let shard = plan.shard;
    // Declared first, so that it speaks last: also when the shard panics.
    let mut last_words = LastWords {
        peers: plan.peers.clone(),
        ended: plan.ended.clone(),
        is_clean: false,
    };
    let result = serve(plan, prepared, report).map_err(|error| RunError::Shard {
        shard,
        reason: error.to_string(),
    });
    last_words.is_clean = result.is_ok();
    result
}

/// Sets the shard up, reports the outcome, and runs turns until stopped.
fn serve(plan: Plan, prepared: Sender<Prepared>, report: Sender<Report>) -> io::Result<()> {
    let shard = plan.shard;
    let (context, driver) = match set_up(&plan, prepared) {
        Ok(Some(parts)) => parts,
        Ok(None) => return Ok(()),
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
    let accept: Box<dyn Accept> = match made {
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

type Parts = (Rc<Context>, Box<dyn Driver>);

/// Creates the parts of the shard, with the engine that all shards can use. `None` if the start was
/// cancelled meanwhile.
fn set_up(plan: &Plan, prepared: Sender<Prepared>) -> Result<Option<Parts>, StartError> {
    signal::block(plan.catch_hangup).map_err(shard_error(plan.shard))?;
    if let Some(cpu) = plan.pin {
        cpu::pin(cpu);
    }
    let mailbox = plan.peers[plan.shard].clone();
    let mut context = Context::new(plan.shard, mailbox, plan.peers.clone());
    context.send_time_max = plan.send_time_max;
    context.coalesce_time = plan.coalesce_time;
    let context = Rc::new(context);
    let (made, driver) = match make_driver(plan.engine, &plan.ring, &context) {
        Ok(driver) => (Ok(()), Some(driver)),
        Err(error) => (Err(error), None),
    };
    let _ = prepared.send(made);
    // The starting thread waits until every shard has said or dropped this.
    drop(prepared);
    let Ok(engine) = plan.settled.recv() else {
        return Ok(None);
    };
    let driver = driver.filter(|driver| driver.engine() == engine);
    let driver = match driver {
        Some(driver) => driver,
        None => make_driver(engine, &plan.ring, &context)
            .map_err(|source| StartError::Engine { engine, source })?,
    };
    Ok(Some((context, driver)))
}

/// Guard that notifies the main thread when a shard ends, and the other shards if it ended with an
/// error.
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
