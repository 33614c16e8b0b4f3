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
    /// Call one method, or a mix of several, and report the latency
    Run(Box<RunArgs>),
    /// Call when a recorded trace says, and report the latency
    Replay(Box<ReplayArgs>),
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
    /// Name of the server in each call, if it is not that of --target
    #[arg(long, value_name = "NAME")]
    pub authority: Option<String>,
    /// How the server is made sure of
    #[command(flatten)]
    pub tls: TlsArgs,
    /// What is called
    #[command(flatten)]
    pub call: CallArgs,
    /// When it is called
    #[command(flatten)]
    pub pace: PaceArgs,
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
    /// Threads to use, each with its share of the connections (default: one for each of --cpu)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cores: Option<String>,
    /// CPUs to pin the threads to, as in 1 or 0,2-3
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub cpu: Option<String>,
    /// How sockets are driven: auto, uring or epoll
    #[arg(long, default_value = "auto")]
    pub engine: String,
    /// Decode each response by the schema, not only during the first half of the warm-up
    #[arg(long)]
    pub strict: bool,
    /// Process of the server, to measure its CPU time per call
    #[arg(long, value_name = "PID", allow_hyphen_values = true)]
    pub target_pid: Option<String>,
    /// Who calls instead of this generator
    #[command(flatten)]
    pub agents: AgentsArgs,
    /// Who watches
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Where the findings go
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The flags of TLS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Speak TLS, and believe the authorities that this machine believes
    #[arg(long)]
    pub tls: bool,
    /// PEM file with the authorities to believe instead
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// PEM file with the certificate to show to the server (mutual TLS), and what vouches for it
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --cert
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name that the server's certificate must be for, if it is not that of the calls
    #[arg(long, value_name = "NAME")]
    pub servername: Option<String>,
    /// Believe any certificate
    #[arg(long)]
    pub insecure_skip_verify: bool,
}

/// The flags of a run that other generators make.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Agents")]
pub struct AgentsArgs {
    /// Generators on other machines that load instead of this one, each with its share of --rate
    /// and with --connections of its own. The schema, data and keys are sent to them: in the clear
    /// without --agents-cacert
    #[arg(
        id = "agents",
        long = "agents",
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        conflicts_with = "record"
    )]
    pub addresses: Vec<String>,
    /// PEM file with the authorities to believe about agents, which speak TLS then
    #[arg(
        id = "agents_cacert",
        long = "agents-cacert",
        value_name = "FILE",
        requires = "agents"
    )]
    pub cacert: Option<PathBuf>,
    /// PEM file with the certificate to show to agents (mutual TLS), and what vouches for it
    #[arg(
        id = "agents_cert",
        long = "agents-cert",
        value_name = "FILE",
        requires = "agents",
        requires = "agents_key"
    )]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --agents-cert
    #[arg(
        id = "agents_key",
        long = "agents-key",
        value_name = "FILE",
        requires = "agents",
        requires = "agents_cert"
    )]
    pub key: Option<PathBuf>,
    /// Token that agents ask for: the token itself, @FILE or env:NAME
    #[arg(
        id = "agents_token",
        long = "agents-token",
        value_name = "TOKEN",
        requires = "agents"
    )]
    pub token: Option<String>,
    /// Name that agents' certificates must be for, if it is not that of --agents
    #[arg(
        id = "agents_servername",
        long = "agents-servername",
        value_name = "NAME",
        requires = "agents"
    )]
    pub servername: Option<String>,
}

/// The flags that say what is called.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calls")]
pub struct CallArgs {
    /// The method, as package.Service/Name
    #[arg(long)]
    pub method: Option<String>,
    /// TOML file with a mix of methods: a [[call]] for each, with method and, as far as they
    /// differ from the flags, weight, data, metadata, timeout, messages and turns
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// The .proto file that defines the methods (default: the server is asked, by reflection)
    #[arg(long, value_name = "FILE")]
    pub proto: Option<PathBuf>,
    /// Folder to look for imports in (repeatable)
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    pub includes: Vec<PathBuf>,
    /// A descriptor set with the methods, as protoc --include_imports --descriptor_set_out
    /// writes it
    #[arg(long, value_name = "FILE", conflicts_with = "proto")]
    pub descriptor_set: Option<PathBuf>,
    /// The request as JSON, @FILE, or @- for standard input. Of an array the messages take turns,
    /// or if the client streams make up a call. Filled in: {{seq}} {{rand 1 100}} {{uuid}}
    /// {{now}} {{file "PATH"}} {{base64 "PATH"}} {{csv "PATH" "COLUMN"}}
    #[arg(
        long,
        value_name = "JSON",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    pub data: String,
    /// How often data is filled in: N times before the run (pool:N), or for each message (each)
    #[arg(long, value_name = "MODE", default_value = "pool:1000")]
    pub data_mode: String,
    /// Requests in each call, if the client streams (default: as many as --data has)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub messages: Option<String>,
    /// If both sides stream: ping-pong sends a request when the one before is answered, free does
    /// not wait
    #[arg(long, value_name = "HOW", default_value = "ping-pong")]
    pub turns: String,
    /// Metadata to send with each call (repeatable); the value of a -bin key is given as base64
    #[arg(long, value_name = "KEY:VALUE", num_args = 1..)]
    pub metadata: Vec<String>,
    /// Token to send as `authorization: Bearer`: the token itself, @FILE or env:NAME
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Time granted to each call: sent as grpc-timeout, and kept to by the generator itself
    #[arg(
        long,
        visible_alias = "deadline",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub timeout: Option<String>,
    /// Encoding of requests, and that replies may come in one: gzip, deflate or identity
    #[arg(long, value_name = "ENCODING", default_value = "identity")]
    pub compress: String,
    /// Where relative paths in data start, if not where the program runs or the scenario is.
    #[arg(skip)]
    pub folder: Option<PathBuf>,
}

/// The flags that say when calls are made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Calls per second over all connections (open loop): 1000, a ramp "100..5000 over 30s",
    /// steps "100,200,400 every 5s", or a wave "1000+-500 every 10s"; without the time these
    /// take the whole window. Without a rate each stream calls again as soon as its call has
    /// ended (closed loop)
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// How calls are strewn over the rate: even, poisson (at random), or bursts:N (N at once)
    #[arg(long, value_name = "HOW", default_value = "even")]
    pub schedule: String,
    /// Trace to take the moments of the calls from: a line for each, which starts with its offset
    /// in seconds (open loop)
    #[arg(long, value_name = "FILE", conflicts_with = "rate")]
    pub replay: Option<PathBuf>,
    /// File to write the trace of the calls to, which can be replayed
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Number that random schedules and data start from: the same one makes the same run
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub seed: String,
    /// Length of the measured window (default: 10s, or all of a trace)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Time to call before the measured window
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2s",
        allow_hyphen_values = true
    )]
    pub warmup: String,
}

/// The flags of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The trace, as run --record writes it
    pub trace: PathBuf,
    /// The flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

impl ReplayArgs {
    /// The run that this asks for.
    pub fn into_run(self) -> RunArgs {
        let mut run = self.run;
        run.pace.replay = Some(self.trace);
        run
    }
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
                    --rate -5 --metadata k=v a=b --metadata c:d --json out.json --deadline 1s";
        let parsed = CommandLine::try_parse_from(line.split_ascii_whitespace()).unwrap();
        let Command::Run(run) = parsed.command else {
            unreachable!("the line says run");
        };
        assert_eq!(run.call.includes, [PathBuf::from("p"), PathBuf::from("q")]);
        assert_eq!(run.pace.rate.as_deref(), Some("-5"));
        assert_eq!(run.call.metadata, ["k=v", "a=b", "c:d"]);
        assert_eq!((run.pace.duration, run.pace.warmup.as_str()), (None, "2s"));
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
