//! `whoami`: tells clients the identity that the server sees, over TLS, mutual TLS or a Unix
//! socket.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use corespun::server::{Flags, Log, conclude};
use corespun::{Request, Response, Server, Status};
use corespun_examples::whoami::mirror_server::{Mirror, MirrorServer};
use corespun_examples::whoami::{Caller, Process, Question, Tls};

/// Tells clients the identity that the server sees.
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
    conclude("whoami", serve(&Arguments::parse().flags))
}

fn serve(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let _log = Log::start(&flags.log)?;
    let server = flags.apply(Server::builder());
    server
        .service(|_shard| Ok(MirrorServer::new(Looking)))
        .run()?;
    Ok(())
}
