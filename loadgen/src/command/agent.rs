//! `agent`: a generator that makes runs for a coordinator (`run --agents`).
//!
//! The coordinator's machine may be too small, or too near, to load a server. Agents get the
//! command line and the schema, open their connections, begin together and send histograms back.
//! Histograms are merged, never percentiles; what each agent saw alone is told beside the sum.

mod coordinator;
mod files;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use corespun::Server;

use crate::error::LoadError;
use crate::interrupt::Interrupt;

pub(super) use coordinator::run;

/// The protocol's messages, as generated.
mod wire {
    corespun::include_proto!("corespun.load.v1");
}

/// The version of the protocol that this program speaks.
const VERSION: u32 = 1;

/// The arguments of `agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentArgs {
    /// Where to listen for coordinators. There is no password: whoever reaches it can make this
    /// machine load any server
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50061")]
    pub listen: String,
}

/// Serves coordinators until it is told to stop.
pub(super) fn execute(args: &AgentArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let failed = |cause: String| LoadError::Agent {
        address: args.listen.clone(),
        cause,
    };
    let server = Server::builder().listen(&args.listen).shards(1);
    let server = server.service(|_| Ok(wire::AgentServer::new(service::Runs)));
    let running = server.start().map_err(|error| failed(error.to_string()))?;
    for address in running.addresses() {
        super::tell(format_args!("listening on {address}"));
    }
    while interrupt.signal().is_none() {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop().map_err(|error| failed(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
