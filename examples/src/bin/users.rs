//! `users`: the user service on SQLite.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use corespun::server::Flags;
use corespun::{Health, PlainRequest, PlainResponse, Server};
use corespun_examples::telemetry::{Telemetry, TraceFlags};
use corespun_examples::user::UserServiceServer;
use corespun_examples::{Store, Users};

/// Serves users from an SQLite database, which is created and filled when it is not there.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The database file
    #[arg(long, value_name = "PATH", default_value = "users.db")]
    db: PathBuf,

    #[command(flatten)]
    traces: TraceFlags,

    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    match serve(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("users: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(Arguments { db, traces, flags }: Arguments) -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::start("users", &flags.log, &traces)?;
    // Once, before the shards start: they would race to create the table.
    if Store::create(&db)? {
        tracing::info!(path = %db.display(), "filled a new database");
    }
    let open = move |_shard| Ok(UserServiceServer::new(Users::new(Store::open(&db)?)));
    let cut_off = telemetry
        .around(flags.apply(Server::builder()))
        .service(open)
        .plain(|_shard| Ok(probe))
        .health(&Health::new())
        .reflection()
        .channelz()
        .serve()?;
    telemetry.finish();
    eprintln!("users: {cut_off}");
    Ok(())
}

/// What load balancers and orchestrators ask without gRPC.
fn probe(request: &PlainRequest<'_>) -> PlainResponse {
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/healthz") => PlainResponse::new(200, "ok\n"),
        (_, "/healthz") => PlainResponse::new(405, "").header("allow", "GET, HEAD"),
        (_, path) => PlainResponse::new(404, format!("nothing is served at {path}\n")),
    }
}
