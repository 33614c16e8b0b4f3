//! `plain`: a server for whoever speaks HTTP/2 without gRPC. GET of any path greets, POST echoes,
//! or greets when there is nothing to echo.
//!
//! The public conformance suites, which know no gRPC, run against it.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use corespun::server::{Flags, Log, conclude};
use corespun::{PlainRequest, PlainResponse, Server};

/// Answers plain requests over HTTP/2 without TLS.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    let Arguments { flags } = Arguments::parse();
    let served = Log::start(&flags.log)
        .map_err(Into::into)
        .and_then(|_log| serve(&flags));
    conclude("plain", served)
}

fn serve(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let server = flags.apply(Server::builder());
    Ok(server.plain(|_shard| Ok(answer)).run()?)
}

fn answer(request: &PlainRequest<'_>) -> PlainResponse {
    let response = match (request.method(), request.body()) {
        ("GET" | "HEAD", _) | ("POST", []) => PlainResponse::new(200, "Hello from a shard.\n"),
        ("POST", body) => PlainResponse::new(200, body.to_vec()),
        (method, _) => PlainResponse::new(405, format!("{method} is not served here\n")),
    };
    response.header("content-type", "text/plain")
}
