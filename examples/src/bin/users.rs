//! `users`: the user service on SQLite.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use corespun::runtime::log_line;
use corespun::server::{Flags, conclude};
use corespun::{Health, Server};
use corespun_examples::telemetry::{Telemetry, TraceFlags};
use corespun_examples::user::user_service_server::UserServiceServer;
use corespun_examples::{Store, Users};

/// Serves users from an SQLite database, which is created and filled if it does not exist.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Path of the database file
    #[arg(long, value_name = "PATH", default_value = "users.db")]
    db: PathBuf,

    #[command(flatten)]
    traces: TraceFlags,

    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    conclude("users", serve(Arguments::parse()))
}

fn serve(Arguments { db, traces, flags }: Arguments) -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::start("users", &flags.log, &traces)?;
    let path = db.clone();
    let open = move |_shard| Ok(UserServiceServer::new(Users::new(Store::open(&path)?)));
    let server = telemetry
        .around(flags.apply(Server::builder()))
        .service(open)
        .probes(&Health::new())
        .reflection()
        .channelz()
        .bind()?;
    // After the port is known to be free, and before the shards start, which would race to create
    // the table.
    if Store::create(&db)? {
        tracing::info!(path = %db.display(), "filled a new database");
    }
    let cut_off = server.serve()?;
    telemetry.finish();
    log_line(format_args!("users: {cut_off}"));
    Ok(())
}
