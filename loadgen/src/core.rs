//! One core of the generator: a thread with its own shard, connections and histograms.
//!
//! Cores share nothing; what they hear from the run, and tell it, is in [`crate::control`].

mod link;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corespun_runtime::{Engine, LocalConfig, LocalShard};
use fastrand::Rng;

use crate::control::{Control, Found, Seat, Told};
use crate::error::LoadError;
use crate::lane::{Call, Lane};
use crate::measure::{Phases, Record, Times};
use crate::messages::Messages;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::process::CpuClock;
use crate::schedule::{Sample, Share};
use crate::stall;
use crate::tally::Tally;

/// How long calls of the measured window may go on after it has ended.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// How often a core looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How often a core looks while nothing is measured: before the run, and while it drains.
const LOOK_IDLE: Duration = Duration::from_millis(1);

/// What the connections of a core share.
pub(crate) struct CoreState {
    pub(crate) plan: Arc<Plan>,
    pub(crate) phases: Cell<Phases>,
    /// For requests that are made when they are sent.
    pub(crate) rng: RefCell<Rng>,
    pub(crate) messages: RefCell<Messages>,
    record: RefCell<Record>,
    /// By the place in the mix; none if that has only one call.
    tallies: RefCell<Vec<Tally>>,
    samples: RefCell<Vec<Sample>>,
    failure: Cell<Option<LoadError>>,
    control: Arc<Control>,
}

impl CoreState {
    /// The state of a core before its run.
    pub(crate) fn new(seat: &Seat) -> Self {
        let plan = seat.plan.clone();
        let share = Share {
            lane: seat.core,
            lanes: plan.shape.cpus.len(),
            seed: plan.seed,
        };
        Self {
            phases: Cell::new(Phases::PENDING),
            rng: RefCell::new(share.rng()),
            messages: RefCell::default(),
            record: RefCell::default(),
            tallies: RefCell::new(match plan.mix.calls() {
                [_] => Vec::new(),
                several => vec![Tally::default(); several.len()],
            }),
            samples: RefCell::default(),
            failure: Cell::new(None),
            control: seat.control.clone(),
            plan,
        }
    }

    /// Returns whether one more call may start at `now`, which is then taken off a limited number.
    pub(crate) fn take_call(&self, now: Duration) -> bool {
        !self.counts_down(now) || self.control.take_call()
    }

    /// Gives a call back that was taken but not sent.
    pub(crate) fn give_back(&self, now: Duration) {
        if self.counts_down(now) {
            self.control.give_back();
        }
    }

    fn counts_down(&self, now: Duration) -> bool {
        self.plan.pace.calls.is_some() && self.phases.get().measured(now)
    }

    /// Counts the text of a call that failed.
    pub(crate) fn failed_with(&self, intended: Duration, outcome: Outcome, text: &str) {
        if self.phases.get().measured(intended) {
            self.record.borrow_mut().failures.add(outcome, text);
        }
    }

    /// Counts a call that ended.
    pub(crate) fn ended(&self, place: usize, times: Times, outcome: Outcome) {
        let phases = self.phases.get();
        if self.counts_down(times.intended) {
            self.control.call_ended(times.ended);
        }
        self.record.borrow_mut().ended(&phases, times, outcome);
        if let Some(tally) = self.tallies.borrow_mut().get_mut(place) {
            tally.ended(&phases, times, outcome);
        }
        self.sample(times.intended, times.ended, Some(outcome));
    }

    /// Counts a call that has not ended, at this age. One that was never sent is no method's yet.
    fn tally_censored(&self, place: Option<usize>, age: Duration) {
        let mut tallies = self.tallies.borrow_mut();
        if let Some(tally) = place.and_then(|place| tallies.get_mut(place)) {
            tally.censored(age);
        }
    }

    /// Counts the part of the window in which a lane had no connection.
    fn unconnected(&self, since: Duration, until: Duration) {
        let Phases { measure, end, .. } = self.phases.get();
        let span = until.min(end).saturating_sub(since.max(measure));
        self.record.borrow_mut().unconnected += span;
    }

    /// Keeps a call of the window for the trace, if there is to be one.
    fn sample(&self, intended: Duration, ended: Duration, outcome: Option<Outcome>) {
        let phases = self.phases.get();
        if self.plan.record.is_some() && phases.measured(intended) {
            self.samples.borrow_mut().push(Sample {
                offset: intended - phases.measure,
                latency: ended.saturating_sub(intended),
                outcome,
            });
        }
    }

    /// Whether the responses of a call that starts now are to be held against the schema. Not in
    /// the second half of the warm-up, so that the window finds a generator that is on time.
    pub(crate) fn validating(&self, now: Duration) -> bool {
        let Phases { begin, measure, .. } = self.phases.get();
        self.plan.strict || now < begin + measure.saturating_sub(begin) / 2
    }

    /// A response is not what the schema promises: under `--strict` the call has failed, else the
    /// run makes no sense.
    pub(crate) fn misfit(&self, call: &mut Call, error: LoadError) {
        call.body.spoil();
        if !(self.plan.strict && self.phases.get().measured(call.intended)) {
            self.fail(error);
        }
    }

    /// A target allows so many streams at once on a connection.
    pub(crate) fn allowed(&self, streams: u32) {
        let allowed = &mut self.record.borrow_mut().streams_allowed;
        *allowed = (*allowed).min(streams);
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

/// Runs a core to its end and tells the run how it went. Called on a thread of its own.
pub(crate) fn run(seat: Seat) {
    let told = match catch_unwind(AssertUnwindSafe(|| run_shard(&seat))) {
        Ok(Ok(found)) => Told::Done(Box::new(found)),
        Ok(Err(error)) => Told::Failed(error),
        Err(_) => Told::Failed(LoadError::Panicked { core: seat.core }),
    };
    // When the run has given up it listens no more, and nobody is left to tell.
    let _ = seat.run.send(told);
}

fn run_shard(seat: &Seat) -> Result<Found, LoadError> {
    let cpu = seat.plan.shape.cpus[seat.core];
    let config = LocalConfig {
        engine: seat.plan.engine,
        cpu,
    };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    let engine = shard.engine();
    shard.block_on(drive(seat, engine))
}

async fn drive(seat: &Seat, engine: Engine) -> Result<Found, LoadError> {
    let core = Rc::new(CoreState::new(seat));
    let mut lanes = Vec::new();
    for index in my_lanes(seat) {
        lanes.push(link::open_first(&core, index).await?);
        if seat.control.stops_at().is_some() {
            return Ok(Found::default());
        }
    }
    let _ = seat.run.send(Told::Ready(engine));
    let Some(begin) = wait_for_begin(&seat.control).await else {
        return Ok(Found::default());
    };
    start(&core, &lanes, begin);
    for lane in &lanes {
        corespun_runtime::spawn(link::keep_open(core.clone(), lane.clone()));
    }
    corespun_runtime::spawn(stall::watch(core.clone()));
    measure(&core, seat).await?;
    drain(&core, &lanes).await?;
    let found = conclude(&core, seat, &lanes);
    // A turn or two for the sockets, so that the target sees an orderly end.
    corespun_runtime::sleep(LOOK_IDLE).await;
    Ok(found)
}

/// The connections of a core: every n-th, so that each core's share of the timetable is even.
fn my_lanes(seat: &Seat) -> impl Iterator<Item = usize> {
    let shape = &seat.plan.shape;
    (seat.core..shape.connections).step_by(shape.cpus.len())
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
    let phases = Phases {
        begin,
        measure,
        end,
    };
    core.phases.set(phases);
    for lane in lanes {
        let mut lane = lane.borrow_mut();
        lane.begin(&phases);
        // The new deadline is only asked for after something has happened on the socket.
        if let Some(socket) = lane.socket {
            socket.touch();
        }
    }
}

/// Lets the connections work until the window ends, telling an interval each second.
async fn measure(core: &CoreState, seat: &Seat) -> Result<(), LoadError> {
    let mut told = core.phases.get().begin;
    let mut busy = None;
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
        if now >= phases.measure {
            busy.get_or_insert_with(|| Busy::since(now));
        }
        while told < phases.end {
            let cut = phases.next_cut(told).min(phases.end);
            if now < cut {
                break;
            }
            core.tell(seat, (told, cut));
            told = cut;
        }
        if now >= phases.end {
            let share = busy.map_or(0.0, |busy| busy.share(now));
            core.record.borrow_mut().busiest_core_share = share;
            return Ok(());
        }
    }
}

/// How much of its time this thread computes.
struct Busy {
    from: Duration,
    used: Duration,
}

impl Busy {
    fn since(now: Duration) -> Self {
        Self {
            from: now,
            used: used(),
        }
    }

    fn share(self, now: Duration) -> f64 {
        /// A share of less time would be the clock's grain.
        const SPAN_MIN: Duration = Duration::from_millis(10);
        let span = now.saturating_sub(self.from);
        let used = used().saturating_sub(self.used).as_secs_f64();
        if span < SPAN_MIN {
            0.0
        } else {
            used / span.as_secs_f64()
        }
    }
}

/// The CPU time of this thread so far.
fn used() -> Duration {
    CpuClock::of_thread().read().unwrap_or_default()
}

/// Lets the calls of the window be sent and end, for a while.
async fn drain(core: &CoreState, lanes: &[Rc<RefCell<Lane>>]) -> Result<(), LoadError> {
    let phases = core.phases.get();
    let limit = phases.end + DRAIN_MAX;
    let done = || lanes.iter().all(|lane| lane.borrow().is_done(&phases));
    while !done() && corespun_runtime::now() < limit {
        corespun_runtime::sleep(LOOK_IDLE).await;
    }
    core.failure.take().map_or(Ok(()), Err)
}

/// Counts what has not ended, closes the connections, and hands over what was found.
fn conclude(core: &CoreState, seat: &Seat, lanes: &[Rc<RefCell<Lane>>]) -> Found {
    let (phases, now) = (core.phases.get(), corespun_runtime::now());
    for lane in lanes {
        let mut lane = lane.borrow_mut();
        lane.censor(&phases, now, |place, intended, until| {
            core.record.borrow_mut().censored(intended, until);
            core.tally_censored(place, until.saturating_sub(intended));
            core.sample(intended, until, None);
        });
        if let Some(since) = lane.down_since.take() {
            core.unconnected(since, now);
        }
        if let Some(socket) = lane.socket {
            socket.close();
        }
    }
    core.tell(seat, (phases.end, now));
    Found {
        record: core.record.take(),
        messages: core.messages.take(),
        tallies: core.tallies.take(),
        samples: core.samples.take(),
    }
}
