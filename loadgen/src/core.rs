//! One core of the generator: a thread with its own shard, connections and histograms.
//!
//! Cores share nothing; what they hear from the run, and tell it, is in [`crate::control`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_codec::{head, timeout};
use corespun_runtime::{Engine, LocalConfig, LocalShard};

use crate::arrivals::Timetable;
use crate::connection::LoadConnection;
use crate::control::{Control, Seat, Told};
use crate::error::LoadError;
use crate::lane::{Lane, Link};
use crate::measure::{Phases, Record, Times};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::stall;

/// How long the target may take to accept a connection, and again to speak HTTP/2 on it.
const OPEN_MAX: Duration = Duration::from_secs(5);

/// How long calls in flight may go on after the measured window has ended.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// How often a core looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How often a core looks while nothing is measured: before the run, and while it drains.
const LOOK_IDLE: Duration = Duration::from_millis(1);

/// The pause before a lost connection is made anew, doubled after each failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the connections of a core share.
pub(crate) struct CoreState {
    pub(crate) plan: Arc<Plan>,
    pub(crate) phases: Cell<Phases>,
    /// The request's header fields, names and values.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    record: RefCell<Record>,
    failure: Cell<Option<LoadError>>,
}

impl CoreState {
    fn new(plan: Arc<Plan>) -> Self {
        Self {
            phases: Cell::new(Phases::PENDING),
            fields: request_fields(&plan),
            record: RefCell::default(),
            failure: Cell::new(None),
            plan,
        }
    }

    /// Counts a call that ended.
    pub(crate) fn ended(&self, times: Times, outcome: Outcome) {
        self.record
            .borrow_mut()
            .ended(&self.phases.get(), times, outcome);
    }

    /// The core came to something this much later than it had wanted to.
    pub(crate) fn stalled(&self, late: Duration) {
        self.record.borrow_mut().gap(late);
    }

    /// Tells the run what happened between two moments.
    fn tell(&self, seat: &Seat, span: (Duration, Duration)) {
        let interval = self.record.borrow_mut().take_interval(span);
        // When the run has given up it listens no more, and nobody is left to tell.
        let _ = seat.run.send(Told::Interval(Box::new(interval)));
    }

    /// The run makes no sense any more.
    pub(crate) fn fail(&self, error: LoadError) {
        self.failure.set(Some(error));
    }
}

fn request_fields(plan: &Plan) -> Vec<(Vec<u8>, Vec<u8>)> {
    let target = head::Target {
        scheme: "http",
        authority: &plan.authority,
        path: plan.call.path(),
    };
    let limit = plan.timeout.map(|limit| {
        let mut text = Vec::new();
        timeout::write(limit, &mut text);
        text
    });
    head::request_fields(target, limit.as_deref(), &plan.metadata)
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// Runs a core to its end and tells the run how it went. Called on a thread of its own.
pub(crate) fn run(seat: Seat) {
    let told = match catch_unwind(AssertUnwindSafe(|| run_shard(&seat))) {
        Ok(Ok(record)) => Told::Done(Box::new(record)),
        Ok(Err(error)) => Told::Failed(error),
        Err(_) => Told::Failed(LoadError::Panicked { core: seat.core }),
    };
    // When the run has given up it listens no more, and nobody is left to tell.
    let _ = seat.run.send(told);
}

fn run_shard(seat: &Seat) -> Result<Record, LoadError> {
    let cpu = seat.plan.shape.cpus[seat.core];
    let config = LocalConfig {
        engine: seat.plan.engine,
        cpu,
    };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    let engine = shard.engine();
    shard.block_on(drive(seat, engine))
}

async fn drive(seat: &Seat, engine: Engine) -> Result<Record, LoadError> {
    let core = Rc::new(CoreState::new(seat.plan.clone()));
    let mut lanes = Vec::new();
    for index in my_lanes(seat) {
        lanes.push(open_first(&core, index).await?);
        if seat.control.stops_at().is_some() {
            return Ok(Record::default());
        }
    }
    let _ = seat.run.send(Told::Ready(engine));
    let Some(begin) = wait_for_begin(&seat.control).await else {
        return Ok(Record::default());
    };
    start(&core, &lanes, begin);
    for lane in &lanes {
        corespun_runtime::spawn(keep_open(core.clone(), lane.clone()));
    }
    corespun_runtime::spawn(stall::watch(core.clone()));
    measure(&core, seat).await?;
    drain(&core, &lanes).await?;
    let record = conclude(&core, seat, &lanes);
    // A turn or two for the sockets, so that the target sees an orderly end.
    corespun_runtime::sleep(LOOK_IDLE).await;
    Ok(record)
}

/// The connections of a core: every n-th, so that each core's share of the timetable is even.
fn my_lanes(seat: &Seat) -> impl Iterator<Item = usize> {
    let shape = &seat.plan.shape;
    (seat.core..shape.connections).step_by(shape.cpus.len())
}

/// Opens a connection for the first time: a target that cannot be reached ends the run.
async fn open_first(core: &Rc<CoreState>, index: usize) -> Result<Rc<RefCell<Lane>>, LoadError> {
    let plan = &core.plan;
    let timetable = plan
        .pace
        .rate
        .map(|rate| Timetable::new(rate, index, plan.shape.connections));
    let lane = Rc::new(RefCell::new(Lane::new(timetable, plan.shape.streams)));
    open(core, &lane).await.map_err(LoadError::Connect)?;
    let speaking = poll_fn(|cx| lane.borrow_mut().poll_link(false, cx));
    let cause = match corespun_runtime::timeout(OPEN_MAX, speaking).await {
        Ok(Link::Down(cause)) => cause,
        Ok(_) => return Ok(lane),
        Err(_) => format!("no SETTINGS frame came within {} s", OPEN_MAX.as_secs()),
    };
    Err(LoadError::Speak {
        address: plan.target.to_string(),
        cause,
    })
}

async fn open(core: &Rc<CoreState>, lane: &Rc<RefCell<Lane>>) -> std::io::Result<()> {
    let target = &core.plan.target;
    lane.borrow_mut().set_link(Link::Opening);
    let connecting = corespun_runtime::connect(target, |_| {
        Box::new(LoadConnection::new(core.clone(), lane.clone()))
    });
    let socket = match corespun_runtime::timeout(OPEN_MAX, connecting).await {
        Ok(connected) => connected?,
        Err(_) => {
            let text = format!("failed to connect to {target}: no answer within 5 s");
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
        }
    };
    lane.borrow_mut().socket = Some(socket);
    Ok(())
}

async fn wait_for_begin(control: &Control) -> Option<Duration> {
    loop {
        if control.stops_at().is_some() {
            return None;
        }
        if let Some(begin) = control.begins_at() {
            return Some(begin);
        }
        corespun_runtime::sleep(LOOK_IDLE).await;
    }
}

fn start(core: &CoreState, lanes: &[Rc<RefCell<Lane>>], begin: Duration) {
    let measure = begin + core.plan.pace.warmup;
    let end = measure + core.plan.pace.duration;
    core.phases.set(Phases {
        begin,
        measure,
        end,
    });
    for lane in lanes {
        let mut lane = lane.borrow_mut();
        lane.begin(begin);
        // The new deadline is only asked for after something has happened on the socket.
        if let Some(socket) = lane.socket {
            socket.touch();
        }
    }
}

/// Makes the connection anew whenever it is lost, until the window ends.
async fn keep_open(core: Rc<CoreState>, lane: Rc<RefCell<Lane>>) {
    let mut pause = PAUSE_MIN;
    loop {
        poll_fn(|cx| lane.borrow_mut().poll_link(true, cx)).await;
        if corespun_runtime::now() >= core.phases.get().end {
            return;
        }
        corespun_runtime::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        match open(&core, &lane).await {
            Ok(()) => {
                core.record.borrow_mut().reconnects += 1;
                let link = poll_fn(|cx| lane.borrow_mut().poll_link(false, cx)).await;
                if link == Link::Up {
                    pause = PAUSE_MIN;
                }
            }
            Err(error) => lane.borrow_mut().set_link(Link::Down(error.to_string())),
        }
    }
}

/// Lets the connections work until the window ends, telling an interval each second.
async fn measure(core: &CoreState, seat: &Seat) -> Result<(), LoadError> {
    let mut told = core.phases.get().begin;
    loop {
        let look = corespun_runtime::now() + LOOK;
        let cut = core.phases.get().next_cut(told).min(core.phases.get().end);
        corespun_runtime::sleep_until(look.min(cut)).await;
        if let Some(error) = core.failure.take() {
            return Err(error);
        }
        if let Some(stop) = seat.control.stops_at() {
            let phases = core.phases.get();
            core.phases.set(Phases {
                end: phases.end.min(stop),
                ..phases
            });
        }
        let (now, phases) = (corespun_runtime::now(), core.phases.get());
        while told < phases.end {
            let cut = phases.next_cut(told).min(phases.end);
            if now < cut {
                break;
            }
            core.tell(seat, (told, cut));
            told = cut;
        }
        if now >= phases.end {
            return Ok(());
        }
    }
}

/// Lets the calls in flight end, for a while.
async fn drain(core: &CoreState, lanes: &[Rc<RefCell<Lane>>]) -> Result<(), LoadError> {
    let limit = core.phases.get().end + DRAIN_MAX;
    let in_flight = || {
        lanes
            .iter()
            .map(|lane| lane.borrow().in_flight())
            .sum::<usize>()
    };
    while in_flight() > 0 && corespun_runtime::now() < limit {
        corespun_runtime::sleep(LOOK_IDLE).await;
    }
    core.failure.take().map_or(Ok(()), Err)
}

/// Counts what has not ended, closes the connections, and hands the record over.
fn conclude(core: &CoreState, seat: &Seat, lanes: &[Rc<RefCell<Lane>>]) -> Record {
    let (phases, now) = (core.phases.get(), corespun_runtime::now());
    for lane in lanes {
        let mut lane = lane.borrow_mut();
        lane.censor(&mut core.record.borrow_mut(), &phases, now);
        if let Some(socket) = lane.socket {
            socket.close();
        }
    }
    core.tell(seat, (phases.end, now));
    core.record.take()
}
