//! `echo`: server that shows the parts of a call other than its messages.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use corespun::server::{Flags, Log, conclude};
use corespun::{Encoding, Server, Service};
use corespun_examples::echo::{AccessLog, Echo, authenticate};

/// Echoes calls, including their metadata.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Compression of replies for clients that accept it: gzip, deflate or zstd
    #[arg(long, value_name = "ENCODING", default_value = "identity", value_parser = encoding)]
    compress: Encoding,

    #[command(flatten)]
    flags: Flags,
}

fn encoding(name: &str) -> Result<Encoding, String> {
    Encoding::parse(name.as_bytes()).ok_or_else(|| "gzip, deflate, zstd or identity".to_owned())
}

fn main() -> ExitCode {
    conclude("echo", serve(&Arguments::parse()))
}

fn serve(Arguments { compress, flags }: &Arguments) -> Result<(), Box<dyn Error>> {
    let _log = Log::start(&flags.log)?;
    let compress = *compress;
    flags
        .apply(Server::builder())
        .intercept(|_shard| Ok(AccessLog))
        .service(move |_shard| Ok(Echo.compress(compress).intercept(authenticate)))
        .run()?;
    Ok(())
}
