//! Programs under measurement, and how to start each on each engine.

use std::path::Path;
use std::process::Command;

use crate::cpus::Placement;
use crate::failure::Failure;
use crate::process::Server;

/// Server program with one engine.
#[derive(Clone, Copy, PartialEq)]
pub struct Subject {
    /// Name of the column.
    pub label: &'static str,
    /// Name of the program.
    pub program: &'static str,
    /// Value of `--engine`, for programs that have the flag.
    pub engine: Option<&'static str>,
    /// Feature that is enabled, if any.
    pub with: Option<With>,
}

/// Optional feature of a server.
#[derive(Clone, Copy, PartialEq)]
pub enum With {
    /// TLS on its listener.
    Tls,
    /// Feature with this name in `bench-corespun --with`.
    Named(&'static str),
    /// Admission control.
    Admission,
    /// Wait of a busy shard for more calls.
    Coalescing,
    /// Fixed responses, without parsing the request.
    Canned,
}

/// Longest wait of a busy shard with [`With::Coalescing`], in microseconds.
const COALESCE_US: &str = "200";

/// File names of the certificate and its key in the folder of logs.
pub const CERTIFICATE: (&str, &str) = ("cert.pem", "key.pem");

/// Our server on io_uring.
pub const URING: Subject = Subject {
    label: "corespun uring",
    program: "bench-corespun",
    engine: Some("uring"),
    with: None,
};
/// Our server on io_uring, with a wait of up to 200 µs of a busy shard for more calls.
pub const COALESCING: Subject = Subject {
    label: "corespun uring, coalescing",
    with: Some(With::Coalescing),
    ..URING
};
/// Our server on epoll.
pub const EPOLL: Subject = Subject {
    label: "corespun epoll",
    program: "bench-corespun",
    engine: Some("epoll"),
    with: None,
};
/// Baseline: tonic in its fastest configuration, with a current-thread runtime per shard.
pub const TONIC: Subject = Subject {
    label: "tonic",
    program: "bench-tonic",
    engine: None,
    with: None,
};
/// Lower bound of any server: a TCP echo without a protocol, driven by its own client.
pub const ECHO: Subject = Subject {
    label: "raw echo uring",
    program: "bench-echo",
    engine: Some("uring"),
    with: None,
};
/// Lower bound of an HTTP/2 server: the same reply to every request.
pub const CANNED: Subject = Subject {
    label: "canned replies",
    with: Some(With::Canned),
    ..ECHO
};

impl Subject {
    /// Returns the scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self.with {
            Some(With::Tls) => "https",
            _ => "http",
        }
    }

    /// Returns true if the program does not speak HTTP/2, so that h2load cannot drive it.
    pub fn is_raw(self) -> bool {
        self == ECHO
    }

    /// Starts the program with one shard on its CPU.
    pub fn start(self, programs: &Path, place: Placement, logs: &Path) -> Result<Server, Failure> {
        let mut command = Command::new(programs.join(self.program));
        if let Some(engine) = self.engine {
            command.args(["--engine", engine]);
        }
        match self.with {
            None => {}
            Some(With::Tls) => {
                let (cert, key) = CERTIFICATE;
                command.arg("--tls-cert").arg(logs.join(cert));
                command.arg("--tls-key").arg(logs.join(key));
            }
            Some(With::Named(name)) => {
                command.args(["--with", name]);
            }
            Some(With::Coalescing) => {
                command.args(["--coalesce-us", COALESCE_US]);
            }
            Some(With::Canned) => {
                command.arg("--canned");
            }
            Some(With::Admission) => {
                command.args(["--admission", "target=2ms,interval=100ms"]);
            }
        }
        let log = logs.join(format!("{}.log", self.label.replace(' ', "-")));
        // The echo server has no shards to count.
        if self.program == ECHO.program {
            command.args(["--listen", "127.0.0.1:0"]);
            return Server::start(&mut command, place.server, &log);
        }
        Server::start_alone(&mut command, place.server, &log)
    }
}
