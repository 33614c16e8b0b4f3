//! Commands of the program. Each has its arguments, work and result in a file of its own.

mod agent;
mod baseline;
mod bundled;
mod calibrate;
mod check;
mod child;
mod collection;
mod compare;
mod condition;
mod merge;
mod rerender;
mod run;
mod search;
mod slice;
mod sweep;
mod terminal;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::Command;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::report::Document;
use crate::summary::summarize;

pub use agent::{AgentArgs, DoorArgs};
pub use baseline::BaselineArgs;
pub use calibrate::{CalibrateArgs, Calibration, Echo, RawEcho, RespondArgs};
pub use check::CheckArgs;
pub use collection::{Collection, Finding};
pub(crate) use collection::{unlike, warning_of};
pub use compare::{CompareArgs, Comparison, Metric, Side, Slice};
pub use condition::Condition;
pub use merge::MergeArgs;
pub use rerender::ReportArgs;
pub use search::{Probe, Search, SearchArgs};
pub use sweep::{Point, Sweep, SweepArgs};

/// Runs a command and prints its result.
///
/// The exit code is 0 after a complete run, and 128 plus the signal number after an interrupted
/// one. It is 2 if a condition of `--fail-if` failed, and 3 if the measurement cannot decide it.
///
/// # Errors
/// One line that names the cause.
pub fn execute(command: &Command, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    match command {
        Command::Run(args) => run::execute(args, interrupt),
        Command::Replay(args) => run::execute(&args.clone().into_run(), interrupt),
        Command::Sweep(args) => sweep::execute(args, interrupt),
        Command::Search(args) => search::execute(args, interrupt),
        Command::Compare(args) => compare::execute(args, interrupt),
        Command::Baseline(args) => baseline::execute(args, interrupt),
        Command::Calibrate(args) => calibrate::execute(args, interrupt),
        Command::Agent(args) => agent::execute(args, interrupt),
        Command::Merge(args) => merge::execute(args),
        Command::Report(args) => rerender::execute(args),
        Command::Check(args) => check::execute(args),
        Command::Respond(args) => calibrate::respond(args, interrupt),
    }
}

/// Prints the summary, writes the files, and returns the exit code. If a result goes to standard
/// output, everything else goes to standard error.
fn finish(
    document: &Document,
    outputs: Outputs,
    conditions: &[Condition],
    interrupt: &Interrupt,
) -> Result<ExitCode, LoadError> {
    let mut out: Box<dyn Write> = match outputs.takes_stdout() {
        true => Box::new(io::stderr()),
        false => Box::new(io::stdout()),
    };
    let columns = terminal::columns(outputs.takes_stdout());
    // Whoever closed the output still gets the files.
    let _ = out.write_all(summarize(document, columns).as_bytes());
    outputs.write(document)?;
    if let Some(signal) = interrupt.signal() {
        return Ok(ExitCode::from(128 | signal as u8));
    }
    Ok(condition::judge(conditions, document, &mut out))
}

/// Prints a line of progress to standard error.
fn tell(line: std::fmt::Arguments<'_>) {
    // Whoever closed standard error does not want to read it.
    let _ = writeln!(io::stderr(), "{line}");
}
