//! `merge`: combines several runs by adding their histograms.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{Condition, finish};
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::{OutputArgs, Outputs};
use crate::report::{Body, Document, Report};

/// Arguments of `merge`.
#[derive(Args, Clone, Debug)]
pub struct MergeArgs {
    /// Report files of runs, as --json writes them; runs that overlap in time add their rates
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Flags about the merged result
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Merges the files.
pub(super) fn execute(args: &MergeArgs) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.output.fail_if)?;
    let reports: Vec<Report> = args
        .files
        .iter()
        .map(|path| read_run(path))
        .collect::<Result<_, _>>()?;
    let outputs = Outputs::open(&args.output)?;
    let merged = Report::merge(&reports).map_err(|cause| LoadError::Merge { cause })?;
    let document = Document::from(Body::Run(Box::new(merged)));
    finish(&document, outputs, &conditions, &Interrupt::manual())
}

fn read_run(path: &Path) -> Result<Report, LoadError> {
    match Document::read(path)?.body {
        Body::Run(report) => Ok(*report),
        _ => Err(LoadError::Input {
            path: path.to_owned(),
            cause: "it is not the report of a run, and only runs can be merged".to_owned(),
        }),
    }
}
