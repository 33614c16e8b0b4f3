//! CPUs of the processes: the server alone on one CPU, the measuring client and the attackers on
//! the other. Attackers yield to the client. Server and client have priority over all other
//! programs if that is permitted, so that other load does not affect the measurement.

use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, gettid};

/// CPUs of a measurement; nothing is pinned if there is only one.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// CPU of the server.
    pub server: Option<usize>,
    /// CPU of the well-behaved client and the attackers.
    pub clients: Option<usize>,
}

impl Place {
    /// Selects the first two CPUs that this process may use.
    pub fn choose() -> Self {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        let mut allowed = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true));
        match (allowed.next(), allowed.next()) {
            (Some(server), Some(clients)) => Self {
                server: Some(server),
                clients: Some(clients),
            },
            _ => Self {
                server: None,
                clients: None,
            },
        }
    }

    /// Makes the calling thread an attacker: on the CPU of the measuring client, with a lower
    /// priority.
    pub fn become_attacker(self) {
        if let Some(cpu) = self.clients {
            let mut set = CpuSet::new();
            set.set(cpu).expect("a CPU that is allowed");
            sched_setaffinity(Pid::from_raw(0), &set).expect("failed to pin an attacker");
        }
        // A thread of this class yields to any other that wakes; a nice value only lowers its
        // share.
        if !reschedule(&["--idle", "--pid", "0"], gettid()) {
            println!("SKIPPED idle attackers: no chrt here, so they share the good client's CPU");
        }
    }
}

/// Gives the calling thread priority over other programs, if that is permitted.
pub fn go_first() {
    reschedule(&["--rr", "--pid", "1"], gettid());
}

/// Gives all threads of a process priority over other programs, if that is permitted.
pub fn let_go_first(process: u32) {
    let process = Pid::from_raw(process.cast_signed());
    if !reschedule(&["--all-tasks", "--rr", "--pid", "1"], process) {
        println!("chrt may not put the server first: other programs count in what is measured");
    }
}

fn reschedule(arguments: &[&str], whom: Pid) -> bool {
    let mut chrt = Command::new("chrt");
    chrt.args(arguments).arg(whom.to_string());
    chrt.stdout(Stdio::null()).stderr(Stdio::null());
    chrt.status().is_ok_and(|status| status.success())
}

/// Raises the limit on open files of this process and its children to the maximum; returns that.
pub fn raise_open_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit one may");
    hard
}
