//! Command line of the program.
//!
//! Values are kept as text here and checked in [`crate::plan`], so that every mistake is reported
//! in one line that names the flag and the value.

mod call;
mod secure;
mod words;

use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{
    AgentArgs, BaselineArgs, CalibrateArgs, CheckArgs, CompareArgs, MergeArgs, ReportArgs,
    RespondArgs, SearchArgs, SweepArgs,
};
use crate::output::{OutputArgs, WatchArgs};
pub use call::{CallArgs, PaceArgs, SchemaArgs};
pub use secure::{AgentsArgs, TlsArgs};
pub use words::Words;
pub(crate) use words::without_user;

/// Command line of the program.
#[derive(Debug)]
pub struct CommandLine {
    /// Command with its flags.
    pub command: Command,
}

impl CommandFactory for CommandLine {
    fn command() -> clap::Command {
        let line = clap::Command::new("corespun-load")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Load generator for gRPC; latency counts from the intended start of each call")
            .subcommand_required(true)
            .arg_required_else_help(true);
        Command::augment_subcommands(line)
    }

    fn command_for_update() -> clap::Command {
        Self::command()
    }
}

impl FromArgMatches for CommandLine {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut command = Command::from_arg_matches(matches)?;
        if let Some(run) = command.run_mut() {
            run.words = Words::of(&<Self as CommandFactory>::command(), matches);
        }
        Ok(Self { command })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Parser for CommandLine {}

/// Command with its flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Call one method, or a mix of several, and report the latency
    Run(Box<RunArgs>),
    /// Repeat the calls of a recorded trace at its times, and report the latency
    Replay(Box<ReplayArgs>),
    /// Measure a grid of connections × streams × rate
    Sweep(Box<SweepArgs>),
    /// Find the highest rate that holds a latency objective
    Search(Box<SearchArgs>),
    /// Compare two servers in alternating turns
    Compare(Box<CompareArgs>),
    /// Measure the bundled tonic server, or compare a server with it
    Baseline(Box<BaselineArgs>),
    /// Measure the upper limit of the generator itself
    Calibrate(Box<CalibrateArgs>),
    /// Run the load for a coordinator, which lists this process in --agents
    Agent(AgentArgs),
    /// Merge several runs into one report by adding their histograms
    Merge(MergeArgs),
    /// Show a report in another format
    Report(ReportArgs),
    /// Check a report: exit code 2 if a condition fails, 3 if it cannot be decided
    Check(CheckArgs),
    /// Run the server that calibrate calls
    #[command(hide = true)]
    Respond(RespondArgs),
}

impl Command {
    /// Returns the flags of the command's runs; `None` if the command makes no run.
    fn run_mut(&mut self) -> Option<&mut RunArgs> {
        match self {
            Self::Run(args) => Some(args),
            Self::Replay(args) => Some(&mut args.run),
            Self::Sweep(args) => Some(&mut args.run),
            Self::Search(args) => Some(&mut args.run),
            Self::Compare(args) => Some(&mut args.run),
            Self::Baseline(args) => Some(&mut args.compare.run),
            Self::Calibrate(args) => Some(&mut args.run),
            Self::Agent(_)
            | Self::Merge(_)
            | Self::Report(_)
            | Self::Check(_)
            | Self::Respond(_) => None,
        }
    }
}

/// Heading of the connection flags in `--help`.
const CONNECTIONS: &str = "Connections";

/// Flags of `run`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Target")]
pub struct RunArgs {
    /// Server to load: HOST:PORT, dns:///HOST:PORT, ipv4:A.B.C.D:PORT, ipv6:ADDR:PORT, unix:/path
    /// or unix-abstract:NAME
    #[arg(long, value_name = "ADDR")]
    pub target: String,
    /// Server name (:authority) of each call (default: the name in --target)
    #[arg(long, value_name = "NAME")]
    pub authority: Option<String>,
    /// Process ID of the server, to measure its CPU time per call
    #[arg(long, value_name = "PID", allow_hyphen_values = true)]
    pub target_pid: Option<String>,
    /// Control group of the server, as a folder under /sys/fs/cgroup, to measure its CPU and memory
    #[arg(long, value_name = "DIR", conflicts_with = "target_pid")]
    pub target_cgroup: Option<PathBuf>,
    /// Flags about TLS
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Flags about the calls
    #[command(flatten)]
    pub call: CallArgs,
    /// Flags about the rate and the length
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Number of connections to open
    #[arg(
        long,
        help_heading = CONNECTIONS,
        value_name = "C",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub connections: String,
    /// Number of calls in flight at once on each connection
    #[arg(
        long,
        help_heading = CONNECTIONS,
        value_name = "S",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub streams: String,
    /// Number of threads, each with its share of the connections (default: one for each of --cpu)
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = CONNECTIONS)]
    pub cores: Option<String>,
    /// CPUs to pin the threads to, as in 1 or 0,2-3
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, help_heading = CONNECTIONS)]
    pub cpu: Option<String>,
    /// Kernel interface for sockets: auto, uring or epoll
    #[arg(long, default_value = "auto", help_heading = CONNECTIONS)]
    pub engine: String,
    /// Check every response against the schema, not only in the first half of the warm-up
    #[arg(long, help_heading = "Calls")]
    pub strict: bool,
    /// Flags about progress
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Flags about the results
    #[command(flatten)]
    pub output: OutputArgs,
    /// Flags about agents
    #[command(flatten)]
    pub agents: AgentsArgs,
    /// Command line that these flags were parsed from.
    #[arg(skip)]
    pub words: Words,
}

/// Flags of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Trace file, as run --record writes it
    pub trace: PathBuf,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

impl ReplayArgs {
    /// Returns the flags of a run that replays the trace.
    pub fn into_run(self) -> RunArgs {
        let mut run = self.run;
        run.pace.replay = Some(self.trace);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <CommandLine as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_take_what_they_should() {
        let line = "corespun-load run --target h:1 --method a/b --proto x.proto -I p -I q \
                    --rate -5 --metadata k=v a=b --metadata c:d --json out.json --deadline 1s";
        let parsed = CommandLine::try_parse_from(line.split_ascii_whitespace()).unwrap();
        let Command::Run(run) = parsed.command else {
            unreachable!("the line says run");
        };
        assert_eq!(
            run.call.schema.includes,
            [PathBuf::from("p"), PathBuf::from("q")]
        );
        assert_eq!(run.pace.rate.as_deref(), Some("-5"));
        assert_eq!(run.call.metadata, ["k=v", "a=b", "c:d"]);
        assert_eq!((run.pace.duration, run.pace.warmup), (None, None));
        assert_eq!(
            (run.call.data.as_str(), run.call.timeout.as_deref()),
            ("{}", Some("1s"))
        );
    }

    #[test]
    fn a_replay_is_a_run_with_a_trace() {
        let line = ["corespun-load", "replay", "day.trace", "--target", "h:1"];
        let parsed = CommandLine::try_parse_from(line).unwrap();
        let Command::Replay(replay) = parsed.command else {
            unreachable!("the line says replay");
        };
        assert_eq!(
            replay.into_run().pace.replay,
            Some(PathBuf::from("day.trace"))
        );
    }
}
