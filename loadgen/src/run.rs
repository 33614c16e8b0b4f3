//! Steps of a run: starts the cores together, receives their counts, and merges them.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use corespun_runtime::now;

use crate::control::{Control, Seat, Told};
use crate::core;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::measure::{Interval, Phases, Record};
use crate::messages::Messages;
use crate::plan::Plan;
use crate::process::{Readings, Window};
use crate::progress::{Lines, Observer};
use crate::report::{Findings, Report};
use crate::schedule::{Sample, TraceFile};
use crate::tally::{Tally, merge_all};
use crate::timeline::Timeline;

/// Time between the start signal and the first call, so that all cores receive the signal.
const NOTICE: Duration = Duration::from_millis(20);

/// Interval at which the run checks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Makes the run that `plan` describes; blocks until it is over.
///
/// A line for each second is written to `progress`. After an interrupt, the report covers the calls
/// so far.
///
/// # Errors
/// The measured process does not exist, the trace cannot be written, the target cannot be reached
/// or does not speak HTTP/2, or the run is interrupted before its window begins.
pub fn run(
    plan: Plan,
    progress: &mut dyn Write,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    observe(plan, &mut Lines::new(progress), interrupt)
}

/// Makes the run as [`run`] does, and reports progress to `observer`.
///
/// # Errors
/// As for [`run`].
pub fn observe(
    plan: Plan,
    observer: &mut dyn Observer,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    if let Some(target) = &plan.measured {
        target.read()?;
    }
    let trace = plan.record.as_deref().map(TraceFile::create).transpose()?;
    let plan = Arc::new(plan);
    let cores = plan.shape.cpus.len();
    let mut run = Run {
        interrupt,
        control: Arc::new(Control::new(plan.pace.calls)),
        observer,
        timeline: Timeline::new(cores),
        record: Record::default(),
        messages: Messages::default(),
        tallies: Vec::new(),
        samples: Vec::new(),
        ready: 0,
        done: 0,
        engine: String::new(),
    };
    let (threads, told) = spawn(&plan, &run.control)?;
    let result = run.conduct(&plan, &told);
    run.control.stop(Duration::ZERO);
    // A core that panicked has closed its channel, which the run has noticed.
    threads.into_iter().for_each(|thread| drop(thread.join()));
    run.observer.ended();
    let window = result?;
    if let Some(trace) = trace {
        trace.write(run.samples)?;
    }
    let findings = Findings {
        window,
        engine: run.engine,
        record: run.record,
        tallies: run.tallies,
        messages: plan.mix.streams().then_some(run.messages),
        seconds: run.timeline.take_seconds(),
    };
    Ok(Report::new(&plan, findings))
}

type Threads = (Vec<JoinHandle<()>>, Receiver<Told>);

fn spawn(plan: &Arc<Plan>, control: &Arc<Control>) -> Result<Threads, LoadError> {
    let (run, told) = mpsc::channel();
    let seats = (0..plan.shape.cpus.len()).map(|core| {
        let seat = Seat {
            core,
            plan: plan.clone(),
            control: control.clone(),
            run: run.clone(),
        };
        let thread = Builder::new().name(format!("load-{core}"));
        thread
            .spawn(move || core::run(seat))
            .map_err(LoadError::Thread)
    });
    let threads = seats.collect::<Result<_, _>>()?;
    Ok((threads, told))
}

/// A run in progress.
struct Run<'a> {
    interrupt: &'a Interrupt,
    control: Arc<Control>,
    observer: &'a mut dyn Observer,
    timeline: Timeline,
    record: Record,
    messages: Messages,
    tallies: Vec<Tally>,
    samples: Vec<Sample>,
    ready: usize,
    done: usize,
    engine: String,
}

impl Run<'_> {
    fn conduct(&mut self, plan: &Plan, told: &Receiver<Told>) -> Result<Window, LoadError> {
        let target = plan.measured.as_ref();
        let cores = plan.shape.cpus.len();
        while self.ready < cores || !self.observer.may_begin() {
            self.hear(told, now() + LOOK)?;
            self.not_interrupted()?;
        }
        let begin = now() + NOTICE;
        let measure = begin + plan.pace.warmup;
        let mut phases = Phases {
            begin,
            measure,
            end: measure + plan.pace.duration,
        };
        self.control.begin(begin);
        self.timeline.set_phases(phases);
        self.observer.began(plan);
        while now() < phases.measure {
            self.hear(told, phases.measure)?;
            self.not_interrupted()?;
        }
        let before = Readings::take(target);
        while now() < phases.end
            && self.interrupt.signal().is_none()
            && self.control.all_ended_at().is_none()
        {
            self.hear(told, phases.end)?;
        }
        let all_ended = self.control.all_ended_at();
        let interrupted = now() < phases.end && all_ended.is_none();
        if interrupted || all_ended.is_some() {
            // The window of a number of calls ends with the last of them.
            phases.end = all_ended.map_or_else(now, |at| at + Duration::from_nanos(1));
            self.control.stop(phases.end);
            self.timeline.set_phases(phases);
        }
        let length = phases.end - phases.measure;
        let window = Readings::take(target).since(&before, length, interrupted);
        while self.done < cores {
            self.hear(told, now() + LOOK)?;
        }
        Ok(window)
    }

    fn not_interrupted(&self) -> Result<(), LoadError> {
        match self.interrupt.signal() {
            None => Ok(()),
            Some(_) => Err(LoadError::Interrupted),
        }
    }

    /// Receives a message from a core, if one comes before `until` or the next check.
    fn hear(&mut self, told: &Receiver<Told>, until: Duration) -> Result<(), LoadError> {
        let wait = until.saturating_sub(now()).min(LOOK);
        self.observer.look();
        match told.recv_timeout(wait) {
            Ok(Told::Ready(engine)) => {
                self.ready += 1;
                self.engine = engine.to_string();
            }
            Ok(Told::Interval(interval)) => self.hear_interval(*interval),
            Ok(Told::Done(found)) => {
                self.done += 1;
                self.messages.merge(&found.messages);
                merge_all(&mut self.tallies, found.tallies);
                self.samples.extend(found.samples);
                self.record.merge(found.record);
            }
            Ok(Told::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(LoadError::Panicked { core: self.done });
            }
        }
        Ok(())
    }

    fn hear_interval(&mut self, interval: Interval) {
        if let Some(whole) = self.timeline.hear(interval) {
            self.record.absorb(&whole);
            self.observer.interval(self.timeline.moment(&whole));
        }
    }
}
