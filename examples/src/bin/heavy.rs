//! `heavy`: server and client of heavy calls; the client prints their outcomes.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use corespun::client::Config;
use corespun::runtime::{Engine, LocalConfig, LocalShard};
use corespun::server::Flags;
use corespun::{Channel, Server};
use corespun_examples::heavy::{Load, Peer};

/// Serves valid but heavy calls, or makes them
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Serve until SIGTERM
    Serve {
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Make concurrent calls on one channel, and print `N ok, N failed` and the memory used
    Call {
        /// Server to call
        #[arg(long, value_name = "TARGET")]
        target: String,
        /// I/O engine: auto, uring or epoll
        #[arg(long, value_name = "ENGINE", default_value = "auto")]
        engine: Engine,
        /// Number of calls
        #[arg(long, value_name = "N")]
        calls: usize,
        /// Kind of the calls
        #[command(subcommand)]
        load: Shape,
    },
}

#[derive(Subcommand)]
enum Shape {
    /// Large requests
    Requests {
        /// Size of a request, in bytes
        bytes: usize,
    },
    /// Large responses
    Responses {
        /// Size of a response, in bytes
        bytes: usize,
    },
    /// Request streams of messages of 100,000 bytes
    Uploads {
        /// Number of messages in a stream
        count: usize,
        /// Milliseconds before the server reads
        late_ms: usize,
        /// Milliseconds before the server reads each further message
        pause_ms: usize,
    },
    /// Response streams of messages of 100,000 bytes
    Downloads {
        /// Number of messages in a stream
        count: usize,
        /// Milliseconds before the client reads
        late_ms: usize,
        /// Milliseconds before the client reads each further message
        pause_ms: usize,
    },
}

impl From<Shape> for Load {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Requests { bytes } => Self::Requests(bytes),
            Shape::Responses { bytes } => Self::Responses(bytes),
            Shape::Uploads {
                count,
                late_ms,
                pause_ms,
            } => Self::Uploads {
                count,
                late_ms,
                pause_ms,
            },
            Shape::Downloads {
                count,
                late_ms,
                pause_ms,
            } => Self::Downloads {
                count,
                late_ms,
                pause_ms,
            },
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().part) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("heavy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(part: Part) -> Result<bool, Box<dyn Error>> {
    match part {
        Part::Serve { flags } => {
            flags
                .apply(Server::builder())
                .service(|_shard| Ok(Peer))
                .run()?;
            Ok(true)
        }
        Part::Call {
            target,
            engine,
            calls,
            load,
        } => {
            let mut shard = LocalShard::new(LocalConfig { engine, cpu: None })?;
            let before = peak_kib();
            let ends = shard.block_on(async {
                let channel = Channel::lazy_with(&target, Config::default())?;
                Ok::<_, Box<dyn Error>>(Load::from(load).run(&channel, calls).await)
            })?;
            let failed: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
            println!("{} ok, {} failed", ends.len() - failed.len(), failed.len());
            println!("held {} KiB at most", peak_kib().saturating_sub(before));
            if let Some(status) = failed.first() {
                println!("{status}");
            }
            Ok(failed.is_empty())
        }
    }
}

/// Returns the peak of resident memory in KiB: `VmHWM` (proc(5)).
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}
