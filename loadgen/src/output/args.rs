//! The flags that say who watches a run, and where its findings go.

use std::path::PathBuf;

use clap::Args;

/// Who watches a run.
#[derive(Args, Clone, Debug, Default)]
pub struct WatchArgs {
    /// Control group of the server, as a folder under /sys/fs/cgroup, to measure its CPU and memory
    #[arg(long, value_name = "DIR", conflicts_with = "target_pid")]
    pub target_cgroup: Option<PathBuf>,
    /// File to write the histograms of every second to, as an HDR interval log
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// No progress: only the summary
    #[arg(long, short)]
    pub quiet: bool,
}

/// Where the findings go, and when they are a failure.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// File to write the report to, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// File to write a page to that any browser opens, without a network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Folder to write the page's charts to, as SVG
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
    /// File to write a table to: the seconds of a run, the points of a sweep, the turns of a
    /// comparison; of several findings a row for each run and point
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// File to write metrics to, as the text format of Prometheus: of a run, or of each of several,
    /// with labels that tell them apart
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
    /// File to write the distribution of latencies to, as HDR plotters read it
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// When the finding is a failure (exit code 2; 3 if the measurement cannot tell), as in
    /// 'p99>2ms' 'errors>0.1%' 'rps<10000' 'cpu_us>8' 'ratio.p99>1.05@95%'
    #[arg(long, value_name = "CONDITION", num_args = 1..)]
    pub fail_if: Vec<String>,
}
