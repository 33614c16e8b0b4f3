//! Flags of all bench servers, and the line that each prints when it is ready.

use std::fmt::Display;

use clap::Args;
use corespun_runtime::{Address, Engine, log_line};

use crate::CpuList;

/// Addresses and shards of a bench server.
#[derive(Debug, Clone, Args)]
pub struct ServerFlags {
    /// Address to listen on, such as 127.0.0.1:50051 or unix:/path; repeatable.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub listen: Vec<Address>,

    /// Number of shards, which are threads that share nothing; default: one for each of --cpus,
    /// else 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub shards: Option<u16>,

    /// CPUs to pin the shards to, in order: 0,2-3.
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
}

impl ServerFlags {
    /// Returns the number of shards, at least 1.
    pub fn shard_count(&self) -> usize {
        match (self.shards, &self.cpus) {
            (Some(shards), _) => usize::from(shards),
            (None, Some(cpus)) => cpus.as_slice().len(),
            (None, None) => 1,
        }
    }

    /// Returns the CPU that a shard is pinned to; `None` leaves the choice to the kernel.
    pub fn cpu_of(&self, shard: usize) -> Option<usize> {
        let cpus = self.cpus.as_ref()?.as_slice();
        Some(cpus[shard % cpus.len()])
    }
}

/// Engine that drives the sockets.
#[derive(Debug, Clone, Copy, Args)]
pub struct EngineFlag {
    /// Kernel interface: auto, uring or epoll; auto is io_uring if it is permitted.
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: Engine,
}

/// Prints the ready line, `listening on ADDR engine=E shards=N`, to stderr for each address.
pub fn announce<A: Display>(addresses: &[A], engine: impl Display, shards: usize) {
    for address in addresses {
        log_line(format_args!(
            "listening on {address} engine={engine} shards={shards}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        server: ServerFlags,
    }

    fn flags(arguments: &[&str]) -> ServerFlags {
        let arguments = ["bench"].iter().chain(arguments);
        Program::parse_from(arguments).server
    }

    #[test]
    fn one_shard_unless_told() {
        assert_eq!(flags(&[]).shard_count(), 1);
        assert_eq!(flags(&["--cpus", "0,2-3"]).shard_count(), 3);
        assert_eq!(flags(&["--cpus", "0,1", "--shards", "5"]).shard_count(), 5);
        let listen = flags(&["--listen", "127.0.0.1:1", "--listen", "[::1]:2"]).listen;
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, ["127.0.0.1:1", "[::1]:2"]);
    }

    #[test]
    fn shards_take_the_cpus_in_turn() {
        let pinned = flags(&["--cpus", "4,6", "--shards", "3"]);
        assert_eq!(
            [0, 1, 2].map(|shard| pinned.cpu_of(shard)),
            [Some(4), Some(6), Some(4)]
        );
        assert_eq!(flags(&[]).cpu_of(0), None);
    }
}
