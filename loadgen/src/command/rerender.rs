//! `report`: shows results in any format, several of them together.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{Collection, Condition, Finding, RawEcho, finish};
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::{OutputArgs, Outputs};
use crate::report::{Body, Document};

/// Arguments of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Report files of run, sweep, search, compare or calibrate, as --json or --html writes them;
    /// several are shown together
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Names of the files, in their order (default: the file name without its extension)
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Calibration file, as calibrate --json writes it; shows the CPU time of calls relative to its
    /// raw echo
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Flags about the output
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Shows the files.
pub(super) fn execute(args: &ReportArgs) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.output.fail_if)?;
    let names = names(args)?;
    let raw_echo = args.calibration.as_deref().map(RawEcho::read).transpose()?;
    let read = |(name, path): (String, &PathBuf)| {
        let finding = Document::read(path)?;
        Ok(Finding { name, finding })
    };
    let findings = names.into_iter().zip(&args.files).map(read);
    let findings = findings.collect::<Result<Vec<_>, LoadError>>()?;
    let outputs = Outputs::open(&args.output)?;
    let document = together(findings, raw_echo, args.names.is_empty());
    finish(&document, outputs, &conditions, &Interrupt::manual())
}

/// Combines results into a collection. A single result stays as it is, unless it gets a name or a
/// raw echo.
fn together(mut findings: Vec<Finding>, raw_echo: Option<RawEcho>, unnamed: bool) -> Document {
    if let ([found], true) = (findings.as_mut_slice(), unnamed) {
        match (&mut found.finding.body, &raw_echo) {
            (_, None) => return found.finding.clone(),
            (Body::Sweep(sweep), Some(echo)) => {
                sweep.hold_against(echo);
                return found.finding.clone();
            }
            _ => {}
        }
    }
    Document::from(Body::Collection(Box::new(Collection::of(
        findings, raw_echo,
    ))))
}

/// Returns the names of all files: the given ones, or the shortest distinct parts of their paths.
fn names(args: &ReportArgs) -> Result<Vec<String>, LoadError> {
    match args.names.len() {
        0 => {}
        count if count == args.files.len() => return Ok(args.names.clone()),
        count => {
            let cause = format!("there are {count} names for {} files", args.files.len());
            return Err(LoadError::flag("--name", args.names.join(" "), cause));
        }
    }
    let stem = |path: &Path| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let stems: Vec<_> = args.files.iter().map(|path| stem(path)).collect();
    let name = |(path, stem): (&PathBuf, &Option<String>)| match stem {
        Some(name) if stems.iter().filter(|other| *other == stem).count() == 1 => name.clone(),
        _ => path.with_extension("").display().to_string(),
    };
    Ok(args.files.iter().zip(&stems).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, CommandLine};
    use clap::Parser;

    fn named(line: &str) -> Result<Vec<String>, LoadError> {
        let line = format!("corespun-load report {line}");
        let Command::Report(args) = CommandLine::parse_from(line.split(' ')).command else {
            unreachable!("the line says report");
        };
        names(&args)
    }

    #[test]
    fn files_are_called_by_what_tells_them_apart() {
        let cases = [
            ("a.json", vec!["a"]),
            ("x/a.json y/b.json", vec!["a", "b"]),
            ("x/a.json y/a.json z/b", vec!["x/a", "y/a", "b"]),
            ("a.json b.json --name one --name two", vec!["one", "two"]),
        ];
        for (line, wanted) in cases {
            assert_eq!(named(line).unwrap(), wanted, "{line}");
        }
        let error = named("a.json b.json --name one").unwrap_err().to_string();
        assert!(error.contains("1 names for 2 files"), "{error}");
    }
}
