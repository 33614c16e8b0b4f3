//! Server under attack: a separate process, observed through `/proc`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::SERVER;
use super::place::let_go_first;

/// Longest time until the server listens, and until it has drained.
const PATIENCE: Duration = Duration::from_secs(30);

/// Process of [`SERVER`] with one shard; killed when dropped.
pub struct Server {
    child: Child,
    /// Address of the server.
    pub address: SocketAddr,
    /// Engine of the server, as it reports it.
    pub engine: String,
}

impl Server {
    /// Starts the server on `cpu` with additional flags.
    pub fn start(cpu: Option<usize>, flags: &[&str]) -> Self {
        let mut command = Command::new(SERVER);
        command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
        if let Ok(engine) = std::env::var("CORESPUN_ENGINE") {
            command.args(["--engine", &engine]);
        }
        if let Some(cpu) = cpu {
            command.args(["--cpus", &cpu.to_string()]);
        }
        command.args(flags).stderr(Stdio::piped());
        let mut child = command.spawn().expect("failed to start the server");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut before = Vec::new();
        let greeting = lines.by_ref().map_while(Result::ok).find(|line| {
            before.push(line.clone());
            line.starts_with("listening on ")
        });
        let words: Vec<&str> = greeting
            .as_deref()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let ["listening", "on", address, engine, ..] = words[..] else {
            panic!("failed to start {SERVER} {flags:?}: {}", before.join("; "));
        };
        let address = address.parse().expect("an address");
        let engine = engine.trim_start_matches("engine=").to_owned();
        let_go_first(child.id());
        // Later output must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|l| eprintln!("{l}")));
        Self {
            child,
            address,
            engine,
        }
    }

    /// Returns the current resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// Returns the peak of resident memory since [`Self::forget_peak`], in KiB.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    /// Resets the peak to the current resident memory (proc(5), `clear_refs`).
    pub fn forget_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&path, "5").unwrap_or_else(|error| panic!("failed to write {path}: {error}"));
    }

    fn memory_kib(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).expect("the server has ended by itself");
        let line = status.lines().find(|line| line.starts_with(field));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{path} has no {field}"))
    }

    /// Requests a drain, and checks that the server exits with success.
    pub fn stop(mut self) {
        let id = Pid::from_raw(self.child.id().cast_signed());
        kill(id, Signal::SIGTERM).expect("failed to signal the server");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("a child") {
                assert!(status.success(), "the server drained with {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server still runs {PATIENCE:?} after SIGTERM");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
