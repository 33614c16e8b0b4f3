//! `plain`: a server for whoever speaks HTTP/2 without gRPC. GET of any path greets, POST echoes.
//!
//! The public conformance suites, which know no gRPC, run against it.

use std::process::ExitCode;

use clap::Parser;
use corespun::server::Flags;
use corespun::{PlainRequest, PlainResponse, Server};

/// Answers plain requests over HTTP/2 without TLS.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    let server = Arguments::parse().flags.apply(Server::builder());
    match server.plain(|_shard| Ok(answer)).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plain: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(request: &PlainRequest<'_>) -> PlainResponse {
    let (status, body) = match request.method() {
        "GET" | "HEAD" => (200, b"Hello from a shard.\n".to_vec()),
        "POST" => (200, request.body().to_vec()),
        method => (405, format!("{method} is not served here\n").into_bytes()),
    };
    PlainResponse::new(status, body).header("content-type", "text/plain")
}
