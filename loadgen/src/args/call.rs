//! Flags about the calls, the schema and the rate.

use std::path::PathBuf;

use clap::Args;

/// Flags about the calls.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calls")]
pub struct CallArgs {
    /// Method to call, as package.Service/Name
    #[arg(long)]
    pub method: Option<String>,
    /// TOML file with a mix of methods: a table `call` for each, with method and optional weight,
    /// data, metadata, timeout, messages and turns (default: the values of the flags)
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Request as JSON, @FILE, or @- for standard input. The messages of an array are used in turn,
    /// or are the messages of one call if the client streams. Templates: {{seq}} {{rand 1 100}}
    /// {{uuid}} {{now}} {{file "PATH"}} {{base64 "PATH"}} {{csv "PATH" "COLUMN"}}
    #[arg(
        long,
        value_name = "JSON",
        default_value = "{}",
        allow_hyphen_values = true
    )]
    pub data: String,
    /// Requests made before the run (pool:N), or a new request per call (each); auto is each if
    /// data has seq, uuid or now, else pool:1000 or one request per row of a csv
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub data_mode: String,
    /// Number of requests in each call, if the client streams (default: number of messages in
    /// --data)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub messages: Option<String>,
    /// Order of requests and responses if both sides stream: ping-pong sends a request after the
    /// previous response, free does not wait
    #[arg(long, value_name = "HOW", default_value = "ping-pong")]
    pub turns: String,
    /// Metadata to send with each call (repeatable); the value of a -bin key is given as base64.
    /// Templates as in --data
    #[arg(short = 'H', long, value_name = "KEY:VALUE", num_args = 1..)]
    pub metadata: Vec<String>,
    /// Token to send as `authorization: Bearer`: the token itself, @FILE or env:NAME
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub token: Option<String>,
    /// Timeout of each call: sent as grpc-timeout, and enforced by the generator itself
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
    /// Folder that relative paths in data start at (default: the working folder, or that of the
    /// scenario).
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
    /// Proto file with the methods (repeatable); searched for in the folders of -I, then in the
    /// working folder
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub proto: Vec<PathBuf>,
    /// Folder to search for proto files and their imports (repeatable)
    #[arg(short = 'I', long = "include", value_name = "DIR", num_args = 1)]
    pub includes: Vec<PathBuf>,
    /// Descriptor set with the methods, as protoc --include_imports --descriptor_set_out writes it
    #[arg(long, value_name = "FILE", conflicts_with = "proto")]
    pub descriptor_set: Option<PathBuf>,
}

/// Flags about the rate and the length.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Calls per second over all connections (open loop): 1000, a ramp "100..5000 over 30s", steps
    /// "100,200,400 every 5s", or a wave "1000+-500 every 10s"; without a time these take the whole
    /// window. Default: each stream sends its next call when the previous one has ended (closed
    /// loop)
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Arrival process for the rate: even, poisson (at random), or bursts:N (N at once)
    #[arg(long, value_name = "HOW", default_value = "even")]
    pub schedule: String,
    /// Trace file with the times of the calls: one line per call, which starts with its offset in
    /// seconds (open loop)
    #[arg(long, value_name = "FILE", conflicts_with = "rate")]
    pub replay: Option<PathBuf>,
    /// File for the trace of the calls, as --replay reads it
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub record: Option<PathBuf>,
    /// Seed of random schedules and data; equal seeds give equal runs
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        allow_hyphen_values = true
    )]
    pub seed: String,
    /// Length of the measured window, as in 10s or 1m30s (default: 10s, the length of the trace, or
    /// as long as --calls take)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Number of calls to measure; also switches the warm-up off unless --warmup is given
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub calls: Option<String>,
    /// Length of the warm-up before the measured window (default: 2s, or none with --calls)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub warmup: Option<String>,
}
