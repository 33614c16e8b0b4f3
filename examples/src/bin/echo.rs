//! `echo`: shows what a call carries beside its messages.

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Parser;
use corespun::server::Flags;
use corespun::{Encoding, Server, Service};
use corespun_examples::echo::{AccessLog, Echo, authenticate};
use tracing_subscriber::EnvFilter;

/// Answers what it is told, metadata included.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to compress replies as for callers that accept it: gzip, deflate or zstd
    #[arg(long, value_name = "ENCODING", default_value = "identity", value_parser = encoding)]
    compress: Encoding,

    #[command(flatten)]
    flags: Flags,
}

fn encoding(name: &str) -> Result<Encoding, String> {
    Encoding::parse(name.as_bytes()).ok_or_else(|| "gzip, deflate, zstd or identity".to_owned())
}

fn main() -> ExitCode {
    match serve(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(Arguments { compress, flags }: &Arguments) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_new(&flags.log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    let compress = *compress;
    flags
        .apply(Server::builder())
        .intercept(|_shard| Ok(AccessLog))
        .service(move |_shard| Ok(Echo.compress(compress).intercept(authenticate)))
        .run()?;
    Ok(())
}
