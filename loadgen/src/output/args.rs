//! Flags about progress and about where results go.

use std::path::PathBuf;

use clap::Args;

/// Flags about progress.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Results")]
pub struct WatchArgs {
    /// File to write the histograms of every second to, as an HDR interval log
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// No progress: only the summary
    #[arg(long, short)]
    pub quiet: bool,
}

/// Flags about where results go, and when they are a failure. A file named `-` is standard output;
/// the summary goes to standard error then.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Results")]
pub struct OutputArgs {
    /// File for the report as JSON; - for standard output (repeatable, like all of these)
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub json: Vec<PathBuf>,
    /// File for a page that any browser opens, without a network
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub html: Vec<PathBuf>,
    /// Folder for the page's charts, as SVG
    #[arg(long, value_name = "DIR", num_args = 1)]
    pub svg: Vec<PathBuf>,
    /// File for a table: the seconds of a run, the points of a sweep, the turns of a comparison;
    /// of several findings a row for each run and point
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub csv: Vec<PathBuf>,
    /// File for metrics in the text format of Prometheus: of a run, or of each of several, with
    /// labels that tell them apart
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub prometheus: Vec<PathBuf>,
    /// File for the distribution of latencies, as HDR plotters read it
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub hgrm: Vec<PathBuf>,
    /// Condition that makes the result a failure (exit code 2; 3 if the measurement cannot tell),
    /// as in 'p99>2ms' 'errors>0.1%' 'rps<10000' 'cpu_us>8' 'ratio.p99>1.05@95%'
    #[arg(long, value_name = "CONDITION", num_args = 1..)]
    pub fail_if: Vec<String>,
}
