//! Core of the generator: a thread with its own shard, connections and histograms.
//!
//! Cores share nothing; [`crate::control`] has the messages between them and the run.

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

/// Longest time that calls of the measured window may take after its end.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Interval at which a core checks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);

/// Interval of checks while nothing is measured: before the run, and while calls drain.
const LOOK_IDLE: Duration = Duration::from_millis(1);

/// State that the connections of a core share.
pub(crate) struct CoreState {
    pub(crate) plan: Arc<Plan>,
    pub(crate) phases: Cell<Phases>,
    /// Random numbers for requests that are made during the run.
    pub(crate) rng: RefCell<Rng>,
    pub(crate) messages: RefCell<Messages>,
    record: RefCell<Record>,
    /// Counts of each method, in the order of the mix; empty for a single method.
    tallies: RefCell<Vec<Tally>>,
    samples: RefCell<Vec<Sample>>,
    failure: Cell<Option<LoadError>>,
    control: Arc<Control>,
}

impl CoreState {
    /// Returns the state of a core before its run.
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

    /// Returns true if one more call may start at `now`, and takes it off the limit of `--calls`.
    pub(crate) fn take_call(&self, now: Duration) -> bool {
        !self.counts_down(now) || self.control.take_call()
    }

    /// Returns a call to the limit that was taken but not sent.
    pub(crate) fn give_back(&self, now: Duration) {
        if self.counts_down(now) {
            self.control.give_back();
        }
    }

    fn counts_down(&self, now: Duration) -> bool {
        self.plan.pace.calls.is_some() && self.phases.get().measured(now)
    }

    /// Counts the text of a failed call.
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

    /// Counts a call that has not ended, with its age. `place` is `None` for a call that was never
    /// sent.
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

    /// Records a call of the window for the trace, if one is written.
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

    /// Returns true if the responses of a call that starts now are to be decoded. False in the
    /// second half of the warm-up, so that decoding does not delay the first calls of the window.
    pub(crate) fn validating(&self, now: Duration) -> bool {
        let Phases { begin, measure, .. } = self.phases.get();
        self.plan.strict || now < begin + measure.saturating_sub(begin) / 2
    }

    /// Handles a response that does not match the schema: fails the call under `--strict`, else the
    /// run.
    pub(crate) fn misfit(&self, call: &mut Call, error: LoadError) {
        call.body.spoil();
        if !(self.plan.strict && self.phases.get().measured(call.intended)) {
            self.fail(error);
        }
    }

    /// Records the target's limit of concurrent streams on a connection.
    pub(crate) fn allowed(&self, streams: u32) {
        let allowed = &mut self.record.borrow_mut().streams_allowed;
        *allowed = (*allowed).min(streams);
    }

    /// Records a stall: the core reached a timed action this much late.
    pub(crate) fn stalled(&self, late: Duration) {
        self.record.borrow_mut().gap(late);
    }

    /// Sends the counts between two times to the run.
    fn tell(&self, seat: &Seat, span: (Duration, Duration)) {
        let interval = self.record.borrow_mut().take_interval(span);
        // When the run has given up it listens no more, and nobody is left to tell.
        let _ = seat.run.send(Told::Interval(Box::new(interval)));
    }

    /// Ends the run with an error.
    pub(crate) fn fail(&self, error: LoadError) {
        self.failure.set(Some(error));
    }
}

/// Runs a core to its end and sends its result to the run. Called on a separate thread.
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

/// Returns the connections of a core: every n-th, so that each core gets an even share of the
/// schedule.
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

/// Runs the connections until the window ends, and sends the counts of each second.
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

/// Measurement of the CPU share of this thread.
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
        /// Shortest span to measure a share over; shorter ones are distorted by the resolution of
        /// the clock.
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

/// Returns the CPU time of this thread.
fn used() -> Duration {
    CpuClock::of_thread().read().unwrap_or_default()
}

/// Waits until the calls of the window have ended, for a limited time.
async fn drain(core: &CoreState, lanes: &[Rc<RefCell<Lane>>]) -> Result<(), LoadError> {
    let phases = core.phases.get();
    let limit = phases.end + DRAIN_MAX;
    let done = || lanes.iter().all(|lane| lane.borrow().is_done(&phases));
    while !done() && corespun_runtime::now() < limit {
        corespun_runtime::sleep(LOOK_IDLE).await;
    }
    core.failure.take().map_or(Ok(()), Err)
}

/// Counts calls that have not ended, closes the connections, and returns the result.
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
