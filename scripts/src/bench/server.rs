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
    /// What is turned on.
    pub with: Option<With>,
}

/// Something that a server can do beside answering.
#[derive(Clone, Copy, PartialEq)]
pub enum With {
    /// TLS on its listener.
    Tls,
    /// What `bench-corespun --with` names so.
    Named(&'static str),
    /// Admission control.
    Admission,
    /// A wait of a busy shard for more arrivals.
    Coalescing,
    /// Replies without a look at the request.
    Canned,
}

/// How long a busy shard may wait with [`With::Coalescing`].
const COALESCE_US: &str = "200";

/// The file names of the certificate and its key in the folder of logs.
pub const CERTIFICATE: (&str, &str) = ("cert.pem", "key.pem");

/// Ours on io_uring.
pub const URING: Subject = Subject {
    label: "corespun uring",
    program: "bench-corespun",
    engine: Some("uring"),
    with: None,
};
/// The same, told that a busy shard may wait 200 µs for more arrivals.
pub const COALESCING: Subject = Subject {
    label: "corespun uring, coalescing",
    with: Some(With::Coalescing),
    ..URING
};
/// Ours on epoll.
pub const EPOLL: Subject = Subject {
    label: "corespun epoll",
    program: "bench-corespun",
    engine: Some("epoll"),
    with: None,
};
/// The baseline, in its best form: a current-thread runtime per shard.
pub const TONIC: Subject = Subject {
    label: "tonic",
    program: "bench-tonic",
    engine: None,
    with: None,
};
/// The floor: bytes in, bytes out, no protocol. It is driven by a client of its own.
pub const ECHO: Subject = Subject {
    label: "raw echo uring",
    program: "bench-echo",
    engine: Some("uring"),
    with: None,
};
/// The floor for a server of HTTP/2: the same reply to whatever is asked.
pub const CANNED: Subject = Subject {
    label: "canned replies",
    with: Some(With::Canned),
    ..ECHO
};

impl Subject {
    /// What its addresses begin with.
    pub fn scheme(self) -> &'static str {
        match self.with {
            Some(With::Tls) => "https",
            _ => "http",
        }
    }

    /// Whether it speaks no HTTP/2, so that h2load cannot drive it.
    pub fn is_raw(self) -> bool {
        self == ECHO
    }

    /// Starts it with one shard on its CPU.
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
