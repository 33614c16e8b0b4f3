//! `bench-corespun`: both bench services on corespun, the subject of every comparison.

#![forbid(unsafe_code)]

mod around;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use around::Around;
use clap::Parser;
use corespun::server::{Config, LimitFlags, Log, OverloadFlags, conclude};
use corespun::{Server, TlsConfig};
use corespun_benches::{AnyError, EngineFlag, ServerFlags, Work, services};

/// Serves user.UserService and grpc.testing.BenchmarkService on corespun.
#[derive(Parser)]
#[command(name = "bench-corespun", version)]
struct Program {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    engine: EngineFlag,

    #[command(flatten)]
    limits: LimitFlags,

    #[command(flatten)]
    overload: OverloadFlags,

    /// CPU time that each GetUser uses in addition to the call itself, in microseconds.
    #[arg(long, value_name = "MICROS", default_value_t = 0)]
    work_us: u32,

    /// Microseconds that a busy shard may wait to collect more calls.
    #[arg(long, value_name = "MICROS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    coalesce_us: u32,

    /// Feature to enable around calls; repeatable.
    #[arg(long, value_name = "THING")]
    with: Vec<Around>,

    /// PEM file with the certificate chain; enables TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the private key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Log filter, such as info or corespun_runtime=debug.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    conclude("bench-corespun", run(Program::parse()))
}

fn run(program: Program) -> Result<(), AnyError> {
    let Program {
        server: flags,
        engine,
        limits,
        overload,
        work_us,
        coalesce_us,
        with,
        tls_cert,
        tls_key,
        log,
    } = program;
    let _log = Log::start(&log)?;
    let mut config = Config::default();
    limits.apply(&mut config.http2);
    overload.apply(&mut config);
    let work = Work::lasting(Duration::from_micros(work_us.into()));
    let mut server = Server::builder()
        .config(config)
        .shards(flags.shard_count())
        .engine(engine.engine)
        .coalesce_time(Duration::from_micros(coalesce_us.into()));
    for address in &flags.listen {
        server = server.listen(address.to_string());
    }
    if let Some(cpus) = &flags.cpus {
        server = server.cpus(cpus.as_slice().to_vec());
    }
    if let (Some(cert), Some(key)) = (tls_cert, tls_key) {
        server = server.tls(TlsConfig::from_pem_files(cert, key));
    }
    for around in with {
        server = around.apply(server)?;
    }
    server
        .service(move |_shard| Ok(services::working_users(work)))
        .service(|_shard| Ok(services::benchmark()))
        .run()?;
    Ok(())
}
