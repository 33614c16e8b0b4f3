//! Flags about progress and result files.

use std::path::PathBuf;

use clap::Args;

/// Flags about progress.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Results")]
pub struct WatchArgs {
    /// File for the histograms of every second, as an HDR interval log
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// Print no progress, only the summary
    #[arg(long, short)]
    pub quiet: bool,
}

/// Flags about result files, and about conditions of failure. A file named `-` is standard output;
/// the summary then goes to standard error.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Results")]
pub struct OutputArgs {
    /// File for the report as JSON; - for standard output (repeatable, like all of these)
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub json: Vec<PathBuf>,
    /// File for an HTML page that works without a network
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub html: Vec<PathBuf>,
    /// Folder for the page's charts, as SVG
    #[arg(long, value_name = "DIR", num_args = 1)]
    pub svg: Vec<PathBuf>,
    /// File for a table as CSV: the seconds of a run, the points of a sweep or the turns of a
    /// comparison; for several results a row for each run and point
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub csv: Vec<PathBuf>,
    /// File for metrics in the text format of Prometheus; several runs have distinct labels
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub prometheus: Vec<PathBuf>,
    /// File for the distribution of latencies in HDR percentile format
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub hgrm: Vec<PathBuf>,
    /// Condition that fails the command, with exit code 2, or 3 if the measurement cannot decide
    /// it; as in 'p99>2ms' 'errors>0.1%' 'rps<10000' 'cpu_us>8' 'ratio.p99>1.05@95%'
    #[arg(long, value_name = "CONDITION", num_args = 1..)]
    pub fail_if: Vec<String>,
}
