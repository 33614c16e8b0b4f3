//! `run`: makes one run, with progress, a summary and result files.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use super::{Condition, agent, finish};
use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::{HdrLog, Outputs};
use crate::plan::Plan;
use crate::progress::{Lines, Live, Observer};
use crate::report::{Body, Document, Report};
use crate::run::observe;

/// Makes the run.
pub(super) fn execute(args: &RunArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.output.fail_if)?;
    refuse_beside_agents(args)?;
    let plan = Plan::new(args)?;
    Condition::check_all(&conditions, &plan, false)?;
    let others = [
        ("--hdr-log", &args.watch.hdr_log),
        ("--record", &args.pace.record),
    ];
    let others = others.map(|(flag, path)| Some((flag, path.as_deref()?)));
    let others: Vec<_> = others.into_iter().flatten().collect();
    let outputs = Outputs::open_beside(&args.output, &others)?;
    let done = match args.agents.addresses.is_empty() {
        true => watched(plan, args, outputs.takes_stdout(), interrupt),
        false => agent::run(args, &plan, interrupt),
    };
    let report = match done {
        Err(error @ LoadError::Interrupted) => {
            super::tell(format_args!("{error}"));
            let signal = interrupt.signal().unwrap_or_default();
            return Ok(ExitCode::from(128 | signal as u8));
        }
        result => result?,
    };
    let document = Document::from(Body::Run(Box::new(report)));
    finish(&document, outputs, &conditions, interrupt)
}

/// Refuses flags that do not work with agents, instead of ignoring them.
fn refuse_beside_agents(args: &RunArgs) -> Result<(), LoadError> {
    let shown = |file: &Option<PathBuf>| file.as_ref().map(|file| file.display().to_string());
    let flags = [
        ("--target-pid", args.target_pid.clone()),
        ("--target-cgroup", shown(&args.target_cgroup)),
        ("--hdr-log", shown(&args.watch.hdr_log)),
        ("--record", shown(&args.pace.record)),
    ];
    let given = flags
        .into_iter()
        .find_map(|(flag, value)| Some((flag, value?)));
    match given {
        Some((flag, value)) if !args.agents.addresses.is_empty() => {
            let cause = "not with --agents: this machine makes no calls";
            Err(LoadError::flag(flag, value, cause))
        }
        _ => Ok(()),
    }
}

/// Makes the run with its observers: a live view on a terminal, lines in a file or a pipe.
pub(super) fn watched(
    plan: Plan,
    args: &RunArgs,
    stdout_taken: bool,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    let mut log = args
        .watch
        .hdr_log
        .as_deref()
        .map(HdrLog::create)
        .transpose()?;
    let mut stderr = io::stderr();
    let at_terminal = !stdout_taken && io::stdout().is_terminal() && stderr.is_terminal();
    let mut lines = Lines::new(&mut stderr);
    let mut live = Live::new();
    let mut observers: Vec<&mut dyn Observer> = Vec::new();
    match (args.watch.quiet, at_terminal) {
        (true, _) => {}
        (false, true) => observers.push(&mut live),
        (false, false) => observers.push(&mut lines),
    }
    observers.extend(log.as_mut().map(|log| log as &mut dyn Observer));
    let report = observe(plan, &mut observers, interrupt)?;
    log.map_or(Ok(()), HdrLog::finish)?;
    Ok(report)
}
