//! `check`: evaluates conditions on a report file.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Condition, condition};
use crate::error::LoadError;
use crate::report::Document;

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Report file, as --json writes it
    pub file: PathBuf,
    /// Condition of failure, as in 'p99>2ms' 'errors>0.1%' 'ratio.p99>1.05@95%'
    #[arg(long, value_name = "CONDITION", num_args = 1.., required = true)]
    pub fail_if: Vec<String>,
}

/// Evaluates the conditions on the file.
pub(super) fn execute(args: &CheckArgs) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.fail_if)?;
    let document = Document::read(&args.file)?;
    Ok(condition::judge(&conditions, &document, &mut io::stdout()))
}
