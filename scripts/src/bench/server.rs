//! The programs under measurement: how each is started, and on which engine.

use std::path::Path;
use std::process::Command;

use crate::cpus::Placement;
use crate::failure::Failure;
use crate::process::Server;

/// One server binary with one engine.
#[derive(Clone, Copy, PartialEq)]
pub struct Subject {
    /// The column's name.
    pub label: &'static str,
    /// The program.
    pub program: &'static str,
    /// `--engine`, for programs that have one.
    pub engine: Option<&'static str>,
}

/// Ours on io_uring.
pub const URING: Subject = Subject {
    label: "corespun uring",
    program: "bench-corespun",
    engine: Some("uring"),
};
/// Ours on epoll.
pub const EPOLL: Subject = Subject {
    label: "corespun epoll",
    program: "bench-corespun",
    engine: Some("epoll"),
};
/// The baseline, in its best form: a current-thread runtime per shard.
pub const TONIC: Subject = Subject {
    label: "tonic",
    program: "bench-tonic",
    engine: None,
};
/// The floor: bytes in, bytes out, no protocol.
pub const ECHO_URING: Subject = Subject {
    label: "raw echo uring",
    program: "bench-echo",
    engine: Some("uring"),
};
/// The same floor on epoll.
pub const ECHO_EPOLL: Subject = Subject {
    label: "raw echo epoll",
    program: "bench-echo",
    engine: Some("epoll"),
};

impl Subject {
    /// Starts it with one shard on its CPU.
    pub fn start(self, programs: &Path, place: Placement, logs: &Path) -> Result<Server, Failure> {
        let mut command = Command::new(programs.join(self.program));
        command.args(["--listen", "127.0.0.1:0"]);
        // The echo server has no shards to count.
        if self.program != ECHO_URING.program {
            command.args(["--shards", "1"]);
            if let Some(cpu) = place.server {
                command.args(["--cpus", &cpu.to_string()]);
            }
        }
        if let Some(engine) = self.engine {
            command.args(["--engine", engine]);
        }
        let log = logs.join(format!("{}.log", self.label.replace(' ', "-")));
        Server::start(&mut command, place.server, &log)
    }
}
