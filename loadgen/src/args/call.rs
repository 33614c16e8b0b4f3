//! Flags about what is called, and when.

use std::path::PathBuf;

use clap::Args;

/// Flags about what is called.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calls")]
pub struct CallArgs {
    /// Method to call, as package.Service/Name
    #[arg(long)]
    pub method: Option<String>,
    /// TOML file with a mix of methods: a [[call]] for each, with method and, as far as they
    /// differ from the flags, weight, data, metadata, timeout, messages and turns
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Request as JSON, @FILE, or @- for standard input. The messages of an array take turns, or
    /// make up a call if the client streams. Filled in: {{seq}} {{rand 1 100}} {{uuid}} {{now}}
    /// {{file "PATH"}} {{base64 "PATH"}} {{csv "PATH" "COLUMN"}}
    #[arg(
        long,
        value_name = "JSON",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    pub data: String,
    /// Number of requests made before the run (pool:N), or each for a new request per call; auto
    /// is each if data has seq, uuid or now, else pool:1000 or one for each row of a csv
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub data_mode: String,
    /// Requests in each call, if the client streams (default: as many as --data has)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub messages: Option<String>,
    /// Order of requests and responses if both sides stream: ping-pong sends a request when the
    /// one before is answered, free does not wait
    #[arg(long, value_name = "HOW", default_value = "ping-pong")]
    pub turns: String,
    /// Metadata to send with each call (repeatable); the value of a -bin key is given as base64.
    /// Filled in like --data
    #[arg(short = 'H', long, value_name = "KEY:VALUE", num_args = 1..)]
    pub metadata: Vec<String>,
    /// Token to send as `authorization: Bearer`: the token itself, @FILE or env:NAME
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub token: Option<String>,
    /// Deadline of each call: sent as grpc-timeout, and kept by the generator itself
    #[arg(
        long,
        visible_alias = "deadline",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub timeout: Option<String>,
    /// Compression of requests, also accepted in responses: gzip, deflate or identity
    #[arg(long, value_name = "ENCODING", default_value = "identity")]
    pub compress: String,
    /// Folder of relative paths in data, if it is neither the working folder nor the scenario's.
    #[arg(skip)]
    pub folder: Option<PathBuf>,
    /// Flags about the schema
    #[command(flatten)]
    pub schema: SchemaArgs,
}

/// Flags about the schema.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Schema (default: asked from the server by reflection)")]
pub struct SchemaArgs {
    /// Proto file with the methods (repeatable), looked for in the folders of -I, then in the
    /// working folder
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub proto: Vec<PathBuf>,
    /// Folder to look for proto files and their imports in (repeatable)
    #[arg(short = 'I', long = "include", value_name = "DIR", num_args = 1)]
    pub includes: Vec<PathBuf>,
    /// Descriptor set with the methods, as protoc --include_imports --descriptor_set_out writes it
    #[arg(long, value_name = "FILE", conflicts_with = "proto")]
    pub descriptor_set: Option<PathBuf>,
}

/// Flags about when calls are made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Calls per second over all connections (open loop): 1000, a ramp "100..5000 over 30s",
    /// steps "100,200,400 every 5s", or a wave "1000+-500 every 10s"; without the time these
    /// take the whole window. Without a rate each stream calls again as soon as its call has
    /// ended (closed loop)
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Arrival process at the rate: even, poisson (at random), or bursts:N (N at once)
    #[arg(long, value_name = "HOW", default_value = "even")]
    pub schedule: String,
    /// Trace with the moments of the calls: a line for each, which starts with its offset in
    /// seconds (open loop)
    #[arg(long, value_name = "FILE", conflicts_with = "rate")]
    pub replay: Option<PathBuf>,
    /// File to write the trace of the calls to, for replay
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub record: Option<PathBuf>,
    /// Seed of random schedules and data: equal seeds make equal runs
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub seed: String,
    /// Length of the measured window, as in 10s or 1m30s (default: 10s, all of a trace, or as
    /// long as --calls take)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Number of calls to measure; without --warmup there are no others
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub calls: Option<String>,
    /// Time of calls before the measured window (default: 2s, or none with --calls)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub warmup: Option<String>,
}
