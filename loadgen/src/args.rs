//! The command line.
//!
//! Values are taken as text here and judged in [`crate::plan`], so that every mistake is answered
//! with one line that names the flag and the value.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::{
    AgentArgs, BaselineArgs, CalibrateArgs, CheckArgs, CompareArgs, MergeArgs, ReportArgs,
    RespondArgs, SearchArgs, SweepArgs,
};
use crate::output::{OutputArgs, WatchArgs};

/// Loads gRPC servers and tells their latency from the moment each call was meant to start.
#[derive(Debug, Parser)]
#[command(name = "corespun-load", version, about)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive one unary method and report its latency
    Run(Box<RunArgs>),
    /// Measure a grid of connections × streams × rate
    Sweep(Box<SweepArgs>),
    /// Find the highest rate that holds a latency objective
    Search(Box<SearchArgs>),
    /// Compare two servers, turn and turn about
    Compare(Box<CompareArgs>),
    /// Measure the bundled tonic server, or compare a server with it
    Baseline(Box<BaselineArgs>),
    /// Measure the ceiling of the generator itself
    Calibrate(Box<CalibrateArgs>),
    /// Make runs for a coordinator, which names this generator with --agents
    Agent(AgentArgs),
    /// Make one report of several runs by adding their histograms
    Merge(MergeArgs),
    /// Show a report in another format
    Report(ReportArgs),
    /// Judge a report: exit code 2 when a condition fails, 3 when it cannot be told
    Check(CheckArgs),
    /// Be the server that a calibration calls
    #[command(hide = true)]
    Respond(RespondArgs),
}

/// The flags of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The server: HOST:PORT or unix:/path
    #[arg(long, value_name = "ADDR")]
    pub target: String,
    /// The method, as package.Service/Name
    #[arg(long)]
    pub method: String,
    /// The .proto file that defines the method
    #[arg(long, value_name = "FILE")]
    pub proto: PathBuf,
    /// Folder to look for imports in (repeatable)
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    pub includes: Vec<PathBuf>,
    /// The request, as JSON
    #[arg(
        long,
        value_name = "JSON",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    pub data: String,
    /// Connections to open
    #[arg(
        long,
        value_name = "C",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub connections: String,
    /// Calls in flight at once on each connection
    #[arg(
        long,
        value_name = "S",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub streams: String,
    /// Calls per second over all connections (open loop); without it each stream calls again as
    /// soon as its call has ended (closed loop)
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Length of the measured window
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        allow_hyphen_values = true
    )]
    pub duration: String,
    /// Time to call before the measured window
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2s",
        allow_hyphen_values = true
    )]
    pub warmup: String,
    /// Threads to use, each with its share of the connections (default: one for each of --cpu)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cores: Option<String>,
    /// CPUs to pin the threads to, as in 1 or 0,2-3
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub cpu: Option<String>,
    /// How sockets are driven: auto, uring or epoll
    #[arg(long, default_value = "auto")]
    pub engine: String,
    /// Process of the server, to measure its CPU time per call
    #[arg(long, value_name = "PID", allow_hyphen_values = true)]
    pub target_pid: Option<String>,
    /// Metadata to send with each call (repeatable); the value of a -bin key is sent as base64
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    pub metadata: Vec<String>,
    /// Time granted to each call: sent as grpc-timeout, and kept to by the generator itself
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub timeout: Option<String>,
    /// Generators on other machines that load instead of this one, each with its share of --rate
    /// and with --connections of its own
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    pub agents: Vec<String>,
    /// Who watches
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Where the findings go
    #[command(flatten)]
    pub output: OutputArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn flags_take_what_they_should() {
        let line = "corespun-load run --target h:1 --method a/b --proto x.proto -I p -I q \
                    --rate -5 --metadata k=v a=b --metadata c=d --json out.json";
        let parsed = CommandLine::try_parse_from(line.split_ascii_whitespace()).unwrap();
        let Command::Run(run) = parsed.command else {
            unreachable!("the line says run");
        };
        assert_eq!(run.includes, [PathBuf::from("p"), PathBuf::from("q")]);
        assert_eq!(run.rate.as_deref(), Some("-5"));
        assert_eq!(run.metadata, ["k=v", "a=b", "c=d"]);
        assert_eq!((run.duration.as_str(), run.warmup.as_str()), ("10s", "2s"));
        assert_eq!(run.data, "{}");
    }
}
