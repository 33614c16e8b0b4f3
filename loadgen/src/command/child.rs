//! Servers that a command starts for itself, and ends with itself.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;

use crate::error::LoadError;

/// How long a server may take to end once it is told to; the slowest of ours drains for 5 s.
const END_MAX: Duration = Duration::from_secs(7);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A server that has told its address.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Kept open, so that what it still says does not end it.
    _said: BufReader<ChildStderr>,
    /// Where it listens.
    pub(super) address: String,
}

impl Server {
    /// Starts the program and waits for its `listening on ADDR …`.
    ///
    /// # Errors
    /// When it does not start, or ends without that line; its last words are the cause.
    pub(super) fn start(program: &Path, arguments: &[String]) -> Result<Self, LoadError> {
        let failed = |cause: String| LoadError::Server {
            program: program.to_owned(),
            cause,
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C is for the generator, which ends the server when it has told what it measured.
        command.process_group(0);
        let mut child = spawn(&mut command).map_err(|error| failed(error.to_string()))?;
        let Some(stderr) = child.stderr.take() else {
            return Err(failed("it has no standard error".to_owned()));
        };
        let mut said = BufReader::new(stderr);
        let mut line = String::new();
        let mut last = String::new();
        while said.read_line(&mut line).is_ok_and(|length| length > 0) {
            if let Some(rest) = line.strip_prefix("listening on ") {
                let address = rest
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                return Ok(Self {
                    child,
                    _said: said,
                    address,
                });
            }
            last = std::mem::take(&mut line).trim().to_owned();
        }
        let _ = child.wait();
        Err(failed(match last.is_empty() {
            true => "it ended without a word".to_owned(),
            false => last,
        }))
    }

    /// Its process.
    pub(super) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended already there is nobody to ask; either way it is waited for.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let patience = Instant::now() + END_MAX;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > patience {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// Starts the process with no signal blocked: a child inherits what this thread blocks, and
/// SIGTERM, which the generator waits for on a thread of its own, would never reach it.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let before = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let child = command.spawn();
    before.thread_set_mask()?;
    child
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Server, LoadError> {
        Server::start(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()])
    }

    #[test]
    fn a_server_ends_although_the_generator_keeps_signals_to_itself() {
        let mut kept = SigSet::empty();
        kept.add(Signal::SIGTERM);
        kept.thread_block().unwrap();
        let mut server = shell("echo listening on 1.2.3.4:5 >&2; exec sleep 60").unwrap();
        assert!(SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM));
        let _ = kill(Pid::from_raw(server.child.id() as i32), Signal::SIGTERM);
        let patience = Instant::now() + END_MAX;
        while server.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "it does not hear SIGTERM");
            thread::sleep(LOOK);
        }
        kept.thread_unblock().unwrap();
    }

    #[test]
    fn a_server_tells_its_address_or_its_last_words() {
        let script = "echo warming up >&2; echo listening on 1.2.3.4:5 engine=x >&2; exec sleep 60";
        let server = shell(script).unwrap();
        assert_eq!(server.address, "1.2.3.4:5");
        drop(server);
        let error = shell("echo no such port >&2").unwrap_err().to_string();
        assert!(
            error.contains("/bin/sh") && error.contains("no such port"),
            "{error}"
        );
        let error = Server::start(Path::new("/nowhere"), &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}
