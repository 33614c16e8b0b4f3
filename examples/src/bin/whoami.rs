//! `whoami`: tells callers what the server knows of them, over TLS, mutual TLS or a Unix socket.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Parser;
use corespun::server::Flags;
use corespun::{Request, Response, Server, Status};
use corespun_examples::whoami::{Caller, Mirror, MirrorServer, Process, Question, Tls};
use tracing_subscriber::EnvFilter;

/// Tells callers what the server knows of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

struct Looking;

impl Mirror for Looking {
    async fn who_am_i(&self, request: Request<Question>) -> Result<Response<Caller>, Status> {
        let tls = request.tls().map(|tls| Tls {
            version: tls.version.to_owned(),
            server_name: tls.server_name.clone().unwrap_or_default(),
            names: tls.names.clone(),
        });
        let process = request.unix_peer().map(|unix| Process {
            pid: unix.pid,
            uid: unix.uid,
            gid: unix.gid,
        });
        let address = request.peer().unwrap_or_default().to_owned();
        Ok(Response::new(Caller {
            address,
            tls,
            process,
        }))
    }
}

fn main() -> ExitCode {
    let Arguments { flags } = Arguments::parse();
    let filter = match EnvFilter::try_new(&flags.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("whoami: failed to read --log {:?}: {error}", flags.log);
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    let server = flags.apply(Server::builder());
    match server
        .service(|_shard| Ok(MirrorServer::new(Looking)))
        .run()
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("whoami: {error}");
            ExitCode::FAILURE
        }
    }
}
