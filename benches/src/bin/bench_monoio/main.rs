//! `bench-monoio`: our protocol implementations on monoio instead of our runtime.
//!
//! It serves the unary calls of both bench services, or echoes raw bytes with `--echo`. The
//! restrictions on protocols are described in [`corespun_benches::monoio_host`]. SIGTERM ends it
//! without a drain.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use clap::Parser;
use corespun::server::{Config, Connection, conclude};
use corespun_benches::{AnyError, Echo, EngineFlag, Listeners, ServerFlags, announce};
use corespun_benches::{monoio_host, services};
use corespun_runtime::{Accept, Peer, Protocol, SocketHandle, now};
use nix::sys::signal::{SigSet, Signal};

/// Serves our protocols on monoio.
#[derive(Parser)]
#[command(name = "bench-monoio", version)]
struct Program {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    engine: EngineFlag,

    /// Echo raw bytes instead of serving gRPC.
    #[arg(long)]
    echo: bool,
}

fn main() -> ExitCode {
    conclude("bench-monoio", run(Program::parse()))
}

fn run(program: Program) -> Result<(), AnyError> {
    let Program {
        server,
        engine,
        echo: echoes,
    } = program;
    let stop = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    // Blocked before any thread starts, so that only the wait below takes the signal.
    stop.thread_block()?;
    let engine = monoio_host::resolve(engine.engine);
    let listeners = Listeners::bind(&server.listen, server.shard_count())?;
    let (end, ended) = mpsc::channel();
    for (shard, listeners) in listeners.shards.into_iter().enumerate() {
        let (end, cpu) = (end.clone(), server.cpu_of(shard));
        spawn(format!("shard-{shard}"), end, move || {
            let accept = if echoes { echo() } else { grpc() };
            monoio_host::serve(engine, cpu, listeners, accept)
        })?;
    }
    spawn("signals".to_owned(), end, move || {
        stop.wait()?;
        Ok(())
    })?;
    announce(&listeners.addresses, engine, server.shard_count());
    ended.recv()?
}

/// Channel for the end of the program: a signal, or the first shard that fails.
type End = mpsc::Sender<Result<(), AnyError>>;

fn spawn(
    name: String,
    end: End,
    body: impl FnOnce() -> Result<(), AnyError> + Send + 'static,
) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(move || {
        // The receiver is gone once another thread has ended the program.
        let _ = end.send(body());
    })?;
    Ok(())
}

/// Returns both services on connections of our server; only their unary calls are answered here.
fn grpc() -> Box<dyn Accept> {
    let (routes, config) = (Rc::new(services::routes()), Config::default());
    Box::new(move |peer: Peer, socket: SocketHandle| {
        let name = peer.address.map(|address| Rc::from(address.to_string()));
        let connection = Connection::new(Rc::clone(&routes), &config, name, socket, now());
        Box::new(connection) as Box<dyn Protocol>
    })
}

fn echo() -> Box<dyn Accept> {
    Box::new(|_: Peer, _: SocketHandle| Box::new(Echo::default()) as Box<dyn Protocol>)
}
