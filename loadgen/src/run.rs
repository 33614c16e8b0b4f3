//! A run from start to end: cores are started together, heard, and their records merged.

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
use crate::measure::{Phases, Record};
use crate::messages::Messages;
use crate::plan::Plan;
use crate::process::{CpuClock, Ticks};
use crate::progress::Progress;
use crate::report::{MessageReport, Report, Window};
use crate::schedule::{Sample, TraceFile};

/// How long cores have to hear when to begin.
const NOTICE: Duration = Duration::from_millis(20);

/// How often the run looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Makes the run that `plan` describes; blocks until it is over.
///
/// A line for each second goes to `progress`. When `interrupt` is raised, what was measured until
/// then is reported.
///
/// # Errors
/// When a process to be measured is not there, the trace cannot be written, the target cannot be
/// reached or speaks something else, or the run is interrupted before its window begins.
pub fn run(
    plan: Plan,
    progress: &mut dyn Write,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    let target = plan
        .target_pid
        .map(|pid| Ok((pid, target_clock(pid)?)))
        .transpose()?;
    let trace = plan.record.as_deref().map(TraceFile::create).transpose()?;
    let plan = Arc::new(plan);
    let cores = plan.shape.cpus.len();
    let mut run = Run {
        interrupt,
        control: Arc::new(Control::new()),
        progress: Progress::new(progress, cores, plan.pace.warmup),
        record: Record::default(),
        messages: Messages::default(),
        samples: Vec::new(),
        ready: 0,
        done: 0,
        engine: String::new(),
    };
    let (threads, told) = spawn(&plan, &run.control)?;
    let result = run.conduct(&plan, &told, target.map(|(_, clock)| clock));
    run.control.stop(Duration::ZERO);
    // A core that panicked has closed its channel, which the run has noticed.
    threads.into_iter().for_each(|thread| drop(thread.join()));
    let window = result?;
    if let Some(trace) = trace {
        trace.write(run.samples)?;
    }
    let messages = MessageReport::of(&run.messages, &window);
    let mut report = Report::new(&plan, run.engine, run.record, window);
    report.messages = plan.mix.streams().then_some(messages);
    Ok(report)
}

fn target_clock(pid: i32) -> Result<CpuClock, LoadError> {
    let clock = CpuClock::of(pid).and_then(|clock| clock.read().map(|_| clock));
    clock.map_err(|errno| LoadError::TargetPid {
        pid,
        cause: errno.desc().to_owned(),
    })
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
    progress: Progress<'a>,
    record: Record,
    messages: Messages,
    samples: Vec<Sample>,
    ready: usize,
    done: usize,
    engine: String,
}

/// The clocks at one moment.
struct Readings {
    target: Option<Duration>,
    own: Duration,
    ticks: Option<Ticks>,
}

impl Readings {
    fn take(target: Option<CpuClock>) -> Self {
        Self {
            target: target.and_then(|clock| clock.read().ok()),
            own: CpuClock::own().read().unwrap_or_default(),
            ticks: Ticks::read(),
        }
    }

    fn since(&self, before: &Self, phases: &Phases, interrupted: bool) -> Window {
        Window {
            length: phases.end - phases.measure,
            target_cpu: self.target.zip(before.target).map(|(now, then)| now - then),
            own_cpu: self.own.saturating_sub(before.own),
            steal_share: self
                .ticks
                .zip(before.ticks)
                .map(|(now, then)| now.stolen_since(then)),
            interrupted,
        }
    }
}

impl Run<'_> {
    fn conduct(
        &mut self,
        plan: &Plan,
        told: &Receiver<Told>,
        target: Option<CpuClock>,
    ) -> Result<Window, LoadError> {
        let cores = plan.shape.cpus.len();
        while self.ready < cores {
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
        while now() < phases.measure {
            self.hear(told, phases.measure)?;
            self.not_interrupted()?;
        }
        let before = Readings::take(target);
        while now() < phases.end && self.interrupt.signal().is_none() {
            self.hear(told, phases.end)?;
        }
        let interrupted = now() < phases.end;
        if interrupted {
            phases.end = now();
            self.control.stop(phases.end);
        }
        let window = Readings::take(target).since(&before, &phases, interrupted);
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

    /// Takes in what a core tells, if one does before `until` or the next look is due.
    fn hear(&mut self, told: &Receiver<Told>, until: Duration) -> Result<(), LoadError> {
        let wait = until.saturating_sub(now()).min(LOOK);
        match told.recv_timeout(wait) {
            Ok(Told::Ready(engine)) => {
                self.ready += 1;
                self.engine = engine.to_string();
            }
            Ok(Told::Interval(interval)) => self.progress.hear(interval),
            Ok(Told::Done(found)) => {
                self.done += 1;
                self.messages.merge(&found.messages);
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
}
