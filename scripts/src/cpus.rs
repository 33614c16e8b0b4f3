//! CPU pinning of programs, so that a server and its load generator do not share a CPU.

use std::process::{Child, Command};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::failure::{Attempt, Failure};

/// Returns the CPUs that this process may use, in order.
fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
        .collect()
}

/// CPUs of server and load generator of a measurement: one each, if there are two.
#[derive(Clone, Copy)]
pub struct Placement {
    /// CPU of the server.
    pub server: Option<usize>,
    /// CPU of the load generator.
    pub generator: Option<usize>,
}

impl Placement {
    /// Selects the first two permitted CPUs; with only one, nothing is pinned.
    pub fn choose() -> Self {
        match allowed().as_slice() {
            [server, generator, ..] => Self {
                server: Some(*server),
                generator: Some(*generator),
            },
            _ => Self {
                server: None,
                generator: None,
            },
        }
    }

    /// Returns one line of text for readers of the results.
    pub fn describe(self) -> String {
        match (self.server, self.generator) {
            (Some(server), Some(generator)) => {
                format!("server on CPU {server}, generator on CPU {generator}")
            }
            _ => "NOT PINNED: only one CPU is allowed, so the generator takes the server's time"
                .into(),
        }
    }
}

/// Starts `command` pinned to one CPU. A child inherits the affinity of the thread that starts it.
pub fn spawn_on(cpu: Option<usize>, command: &mut Command) -> Result<Child, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Some(cpu) = cpu else {
        return command.spawn().attempt(|| format!("start {program}"));
    };
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this).attempt(|| "read the affinity".into())?;
    let mut only = CpuSet::new();
    only.set(cpu).attempt(|| format!("name CPU {cpu}"))?;
    sched_setaffinity(this, &only).attempt(|| format!("pin to CPU {cpu}"))?;
    let child = command.spawn().attempt(|| format!("start {program}"));
    sched_setaffinity(this, &before).attempt(|| "restore the affinity".into())?;
    child
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_runs_where_it_is_put() {
        let before = allowed();
        let last = before[before.len() - 1];
        let mut command = Command::new("grep");
        command.args(["Cpus_allowed_list", "/proc/self/status"]);
        command.stdout(std::process::Stdio::piped());
        let child = spawn_on(Some(last), &mut command).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            text.split_whitespace().nth(1),
            Some(last.to_string().as_str())
        );
        assert_eq!(allowed(), before);
    }
}
