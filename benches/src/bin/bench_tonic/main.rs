//! `bench-tonic`: both bench services on tonic in its fastest configuration, the baseline of every
//! comparison.
//!
//! Each shard has its own current-thread tokio runtime and its own listener with SO_REUSEPORT, so
//! that no request crosses threads. TCP_NODELAY, windows and limits are those that corespun uses.

#![forbid(unsafe_code)]

mod benchmark;
mod reply;
mod shard;
mod users;

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use clap::Parser;
use corespun::server::conclude;
use corespun_benches::{AnyError, Listeners, ServerFlags, announce};

/// Serves user.UserService and grpc.testing.BenchmarkService on tonic.
#[derive(Parser)]
#[command(name = "bench-tonic", version)]
struct Program {
    #[command(flatten)]
    server: ServerFlags,
}

fn main() -> ExitCode {
    conclude("bench-tonic", run(&Program::parse().server))
}

fn run(flags: &ServerFlags) -> Result<(), AnyError> {
    let listeners = Listeners::bind(&flags.listen, flags.shard_count())?;
    let (ready, all_ready) = mpsc::channel();
    let mut shards = Vec::new();
    for (index, listeners) in listeners.shards.into_iter().enumerate() {
        let (ready, cpu) = (ready.clone(), flags.cpu_of(index));
        shards.push(
            thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    shard::run(listeners, cpu, move || {
                        let _ = ready.send(());
                    })
                })?,
        );
    }
    drop(ready);
    // A shard that fails drops its sender: then the line is not printed and its error comes below.
    if all_ready.iter().count() == shards.len() {
        announce(&listeners.addresses, "tokio", shards.len());
    }
    for shard in shards {
        shard
            .join()
            .map_err(|_| "failed to serve: a shard panicked")??;
    }
    Ok(())
}
