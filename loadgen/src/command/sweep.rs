//! `sweep`: measures a grid of connections × streams × rate.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::slice::{in_brief, measure, plan};
use super::{Condition, RawEcho, finish, tell};
use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::report::{Body, Document, Report};
use crate::warnings::keep_first;

/// Arguments of `sweep`: those of `run`, where `--connections`, `--streams` and `--rate` take
/// lists.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("connections", |arg| arg.value_name("C,C,…")))]
#[command(mut_arg("streams", |arg| arg.value_name("S,S,…")))]
#[command(mut_arg("rate", |arg| arg.value_name("R,R,…")))]
pub struct SweepArgs {
    /// Flags of each point
    #[command(flatten)]
    pub run: RunArgs,
    /// Pause between points, for the target to become idle
    #[arg(
        long,
        value_name = "TIME",
        default_value = "200ms",
        help_heading = "Sweep"
    )]
    pub pause: String,
    /// Calibration file, as calibrate --json writes it; shows the CPU time of calls relative to its
    /// raw echo
    #[arg(long, value_name = "FILE", help_heading = "Sweep")]
    pub calibration: Option<PathBuf>,
}

/// Result of a sweep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sweep {
    /// All measured points.
    pub points: Vec<Point>,
    /// Raw echo that calls are compared with, if a calibration was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_echo: Option<RawEcho>,
    /// Warnings about the validity of the result.
    pub warnings: Vec<String>,
}

/// Point of the grid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Offered calls per second; `None` in a closed loop.
    pub rate: Option<f64>,
    /// Report of the point, without its timeline.
    pub report: Report,
}

/// Runs the sweep.
pub(super) fn execute(args: &SweepArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.run.output.fail_if)?;
    let pause = crate::duration::parse(&args.pause)
        .ok_or_else(|| LoadError::flag("--pause", &args.pause, crate::duration::EXPECTED))?;
    let raw_echo = args.calibration.as_deref().map(RawEcho::read).transpose()?;
    let grid = grid(&args.run);
    // A mistake in the last point should not cost the work of the others.
    for point in &grid {
        Condition::check_all(&conditions, &plan(point)?, false)?;
    }
    let outputs = Outputs::open(&args.run.output)?;
    let mut points = Vec::new();
    for (index, point) in grid.iter().enumerate() {
        let Some(report) = measure(point, interrupt)? else {
            break;
        };
        tell(format_args!(
            "{}/{} {} × {} {}: {}",
            index + 1,
            grid.len(),
            point.connections,
            point.streams,
            point.pace.rate.as_deref().unwrap_or("closed"),
            in_brief(&report)
        ));
        points.push(Point::of(report));
        std::thread::sleep(pause);
    }
    let document = Document::from(Body::Sweep(Box::new(Sweep::of(points, raw_echo))));
    finish(&document, outputs, &conditions, interrupt)
}

impl Point {
    pub(crate) fn of(mut report: Report) -> Self {
        report.seconds.clear();
        Self {
            rate: report.counts.offered_rps,
            report,
        }
    }

    /// Returns a name such as `8 connections × 4 streams at 1000/s`.
    pub(super) fn name(&self) -> String {
        let shape = self.report.setup.shape();
        match self.rate {
            None => shape,
            Some(rate) => format!("{shape} at {rate:.0}/s"),
        }
    }
}

impl Sweep {
    pub(crate) fn of(points: Vec<Point>, raw_echo: Option<RawEcho>) -> Self {
        let mut warnings = Vec::new();
        for warning in points.iter().flat_map(|point| &point.report.warnings) {
            keep_first(&mut warnings, warning);
        }
        let mut sweep = Self {
            points,
            raw_echo: None,
            warnings,
        };
        if let Some(echo) = raw_echo {
            sweep.hold_against(&echo);
        }
        sweep
    }

    /// Returns the report of every point.
    pub fn reports(&self) -> impl Iterator<Item = &Report> + Clone {
        self.points.iter().map(|point| &point.report)
    }

    /// Sets the raw echo that calls are compared with, if none is set.
    pub(super) fn hold_against(&mut self, echo: &RawEcho) {
        if self.raw_echo.is_none() {
            self.warnings.extend(echo.doubt(self.reports()));
            self.raw_echo = Some(echo.clone());
        }
    }
}

/// Returns the flags of every point: rates change fastest, connections slowest.
fn grid(args: &RunArgs) -> Vec<RunArgs> {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rates = match args.pace.rate.as_deref() {
        None => vec![None],
        Some(text) => list(text).into_iter().map(Some).collect(),
    };
    let mut grid = Vec::new();
    for connections in list(&args.connections) {
        for streams in list(&args.streams) {
            for rate in &rates {
                let mut point = args.clone();
                point.connections.clone_from(&connections);
                point.streams.clone_from(&streams);
                point.pace.rate = rate.clone().filter(|rate| rate != "closed");
                grid.push(point);
            }
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, CommandLine};
    use clap::Parser;

    #[test]
    fn the_grid_has_every_combination() {
        let line = "corespun-load sweep --target h:1 --method a/b --proto x.proto \
                    --connections 1,8 --streams 4 --rate closed,100,200";
        let parsed = CommandLine::parse_from(line.split_ascii_whitespace());
        let Command::Sweep(args) = parsed.command else {
            unreachable!("the line says sweep");
        };
        let shown: Vec<_> = grid(&args.run)
            .into_iter()
            .map(|point| (point.connections, point.pace.rate))
            .collect();
        let point = |c: &str, rate: Option<&str>| (c.to_owned(), rate.map(str::to_owned));
        let expected: Vec<_> = ["1", "8"]
            .into_iter()
            .flat_map(|c| [None, Some("100"), Some("200")].map(|rate| point(c, rate)))
            .collect();
        assert_eq!(shown, expected);
    }
}
