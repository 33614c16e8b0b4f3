//! Example program as a child process of its test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use corespun::runtime::Engine;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest wait for a response, however slow the machine is.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// Runs a test with the name of each engine that this kernel permits.
pub fn each_engine(name: &str, test: impl Fn(&str)) {
    for (engine, usable) in Engine::candidates() {
        match usable {
            Ok(()) => test(&engine.to_string()),
            Err(error) => println!("SKIPPED {name} on {engine}: {error}"),
        }
    }
}

/// Temporary folder; removed on drop.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-deploy-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Server process that listens; killed when its test fails.
pub struct Program {
    child: Child,
    /// Stderr after the line with the address.
    pub log: Option<BufReader<ChildStderr>>,
    /// Lines of stderr up to the one with the address.
    pub start: String,
    pub address: String,
    _folder: Option<Folder>,
}

impl Program {
    /// Starts `users` on a new database.
    pub fn users(flags: &[&str]) -> Self {
        Self::listening("users", "127.0.0.1:0", flags)
    }

    /// Starts a server that is to listen on an address.
    pub fn listening(name: &str, address: &str, flags: &[&str]) -> Self {
        Self::start(name, &[&["--listen", address][..], flags].concat())
    }

    pub fn start(name: &str, flags: &[&str]) -> Self {
        let mut command = Self::command(name, flags);
        let folder = (name == "users").then(Folder::new);
        if let Some(folder) = &folder {
            command.arg("--db").arg(folder.path().join("users.db"));
        }
        Self::spawn(command, folder)
    }

    pub fn command(name: &str, flags: &[&str]) -> Command {
        let path = match name {
            "users" => env!("CARGO_BIN_EXE_users"),
            _ => env!("CARGO_BIN_EXE_interop-server"),
        };
        let mut command = Command::new(path);
        command
            .args(flags)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped());
        command
    }

    pub fn spawn(mut command: Command, folder: Option<Folder>) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let mut start = String::new();
        let address = loop {
            let mut line = String::new();
            let count = log.read_line(&mut line).expect("text");
            assert_ne!(count, 0, "it ended: {start}");
            start += &line;
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest
                    .split_whitespace()
                    .next()
                    .expect("an address")
                    .to_owned();
            }
        };
        Self {
            child,
            log: Some(log),
            start,
            address,
            _folder: folder,
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it lives");
    }

    /// Reads the log up to a line that contains these words.
    pub fn until(&mut self, words: &str) {
        let lines = self.log.as_mut().expect("piped").lines();
        let found = lines
            .map(|line| line.expect("text"))
            .any(|line| line.contains(words));
        assert!(found, "no line has {words:?}");
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for(TIMEOUT)
    }

    pub fn wait_for(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
