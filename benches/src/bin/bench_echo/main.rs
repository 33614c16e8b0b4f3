//! `bench-echo`: raw TCP echo, the lower bound of every other measurement.
//!
//! As a server it echoes on our own io_uring engine or on epoll, without any protocol. With
//! `--canned` it sends a fixed response to each HTTP/2 request, without parsing it. With
//! `--connect` it is the client of an echo server, with one message in flight on each connection.

#![forbid(unsafe_code)]

mod load;

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use corespun::server::conclude;
use corespun_benches::{AnyError, Canned, Echo, EngineFlag, ServerFlags, announce};
use corespun_runtime::{Accept, Address, Peer, Protocol, Runtime, SocketHandle};

use crate::load::Load;

/// Echoes its input, or with --connect generates load for such a server.
#[derive(Parser)]
#[command(name = "bench-echo", version)]
struct Program {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    engine: EngineFlag,

    /// Send a fixed response to each HTTP/2 request, instead of echoing.
    #[arg(long, conflicts_with = "connect")]
    canned: bool,

    #[command(flatten)]
    client: ClientFlags,
}

/// Flags of the client.
#[derive(clap::Args)]
struct ClientFlags {
    /// Address of an echo server to load, instead of being one.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["listen", "shards", "cpus", "engine"])]
    connect: Option<Address>,

    /// Number of connections, each with one message in flight.
    #[arg(long, value_name = "N", default_value_t = 64, requires = "connect")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// Size of a message in bytes, up to 64 KiB.
    #[arg(long, value_name = "BYTES", default_value_t = 64, requires = "connect")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65536))]
    size: u32,

    /// Duration of the run in seconds.
    #[arg(long, value_name = "S", default_value = "5", requires = "connect")]
    #[arg(value_parser = parse_seconds)]
    seconds: Duration,

    /// CPU to pin the client to.
    #[arg(long, value_name = "CPU", requires = "connect")]
    cpu: Option<usize>,
}

fn main() -> ExitCode {
    let program = Program::parse();
    let ended = match program.client.connect.clone() {
        Some(address) => drive(address, &program.client),
        None => serve(program.server, program.engine, program.canned),
    };
    conclude("bench-echo", ended)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err("not a span of time".to_owned()),
    }
}

fn drive(address: Address, flags: &ClientFlags) -> Result<(), AnyError> {
    let report = Load {
        address,
        connections: usize::from(flags.connections),
        message_bytes: flags.size as usize,
        duration: flags.seconds,
        cpu: flags.cpu,
    }
    .run()?;
    let (echoes, seconds) = (report.echoes, report.elapsed.as_secs_f64());
    writeln!(stdout(), "echoes={echoes} seconds={seconds:.3}")?;
    Ok(())
}

fn serve(flags: ServerFlags, engine: EngineFlag, canned: bool) -> Result<(), AnyError> {
    let shards = flags.shard_count();
    let mut builder = Runtime::builder()
        .catch_signals()
        .shards(shards)
        .engine(engine.engine);
    for address in flags.listen {
        builder = builder.listen(address);
    }
    if let Some(cpus) = &flags.cpus {
        builder = builder.cpus(cpus.as_slice().to_vec());
    }
    let running = builder.start(move |_shard| {
        let accept = move |_: Peer, _: SocketHandle| match canned {
            true => Box::new(Canned::default()) as Box<dyn Protocol>,
            false => Box::new(Echo::default()),
        };
        Ok(Box::new(accept) as Box<dyn Accept>)
    })?;
    announce(running.addresses(), running.engine(), running.shards());
    Ok(running.wait_for_signal(|_| ())?)
}
