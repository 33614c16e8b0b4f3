//! `report`: any finding again, in any format.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Condition, finish};
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::{OutputArgs, Outputs};
use crate::report::Document;

/// The arguments of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A report that --json wrote
    pub file: PathBuf,
    /// How it is to be shown
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Shows the file.
pub(super) fn execute(args: &ReportArgs) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.output.fail_if)?;
    let document = Document::read(&args.file)?;
    let outputs = Outputs::open(&args.output)?;
    finish(&document, outputs, &conditions, &Interrupt::manual())
}
