//! Servers that a command starts, and ends when it ends.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;

use crate::error::LoadError;

/// Longest time for a server to exit after its signal; the slowest bundled server drains for 5 s.
const END_MAX: Duration = Duration::from_secs(7);

/// Interval at which the exit of a server is checked.
const LOOK: Duration = Duration::from_millis(10);

/// Server process that has printed its address.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Standard error of the server, kept open so that further output does not end the server.
    _said: BufReader<ChildStderr>,
    /// Address of the server.
    pub(super) address: String,
}

impl Server {
    /// Starts the program and waits for its line `listening on ADDR …`.
    ///
    /// # Errors
    /// The program does not start, or ends without that line; its last output is the cause.
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
            true => "it ended without any output".to_owned(),
            false => last,
        }))
    }

    /// Returns the process ID of the server.
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

/// Starts the process with no signal blocked. A child inherits the blocked signals of this thread,
/// so SIGTERM would never reach it: the generator blocks SIGTERM and waits for it on another
/// thread.
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
