//! `plain`: server for HTTP/2 clients without gRPC. GET of any path returns a greeting; POST
//! returns its body, or a greeting if the body is empty.
//!
//! The public conformance suites, which do not know gRPC, run against it.

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
