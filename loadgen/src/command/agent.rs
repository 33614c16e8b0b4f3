//! `agent`: a generator that runs the load for a coordinator (`run --agents`).
//!
//! One machine may be too small, or too near to the server, to generate the load. Agents receive
//! the command line and the schema, open their connections, begin together and send histograms
//! back. The coordinator merges the histograms, never percentiles. The report also has the results
//! of each agent.

mod access;
mod coordinator;
mod door;
mod files;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use corespun::Server;
use corespun::runtime::Address;

use crate::error::LoadError;
use crate::interrupt::Interrupt;

pub(super) use coordinator::run;
pub use door::DoorArgs;

/// Generated messages of the protocol.
mod wire {
    corespun::include_proto!("corespun.load.v1");
    pub use agent_client::AgentClient;
    pub use agent_server::{Agent, AgentServer};
}

/// Version of the protocol that this program speaks.
const VERSION: u32 = 1;

/// Arguments of `agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentArgs {
    /// Address to listen on for coordinators: HOST:PORT or unix:/path
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50061")]
    pub listen: String,
    /// Flags about access
    #[command(flatten)]
    pub door: DoorArgs,
}

/// Serves coordinators until a signal ends it.
pub(super) fn execute(args: &AgentArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let failed = |cause: String| LoadError::Server {
        program: "the agent".into(),
        cause,
    };
    let address: Address = args.listen.parse().map_err(LoadError::Target)?;
    let server = Server::builder().listen(address.to_string()).shards(1);
    let server = args.door.apply(server, &address)?;
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
