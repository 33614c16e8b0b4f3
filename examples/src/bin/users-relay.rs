//! `users-relay`: user service that forwards to another one, with the spans of both in one trace.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use corespun::server::{Flags, conclude};
use corespun::{Channel, Server};
use corespun_examples::Relay;
use corespun_examples::telemetry::{Telemetry, TraceFlags};
use corespun_examples::user::user_service_server::UserServiceServer;

/// Forwards calls of the user service to another server.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Server to forward to, such as http://127.0.0.1:50051
    #[arg(long, value_name = "TARGET")]
    next: String,

    #[command(flatten)]
    traces: TraceFlags,

    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    conclude("users-relay", serve(Arguments::parse()))
}

fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments {
        next,
        traces,
        flags,
    } = arguments;
    let telemetry = Telemetry::start("users-relay", &flags.log, &traces)?;
    let tracer = telemetry.tracer().cloned();
    let open = move |_shard| {
        let channel = Channel::lazy(&next).map_err(|status| status.to_string())?;
        let channel = match &tracer {
            Some(tracer) => channel.intercept(tracer.client()),
            None => channel,
        };
        Ok(UserServiceServer::new(Relay::new(channel)))
    };
    let server = telemetry.around(flags.apply(Server::builder()));
    server.service(open).run()?;
    telemetry.finish();
    Ok(())
}
