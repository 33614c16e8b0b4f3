//! Who runs where: the server alone on a CPU, the client that measures and the attackers on the
//! other, where the attackers give way. The server and the client go before every other program
//! where that is allowed, so that what is measured is the server and not its neighbours.

use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, gettid};

/// The CPUs of a measurement; none is pinned where there is only one.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The server's.
    pub server: Option<usize>,
    /// The well-behaved client's, and the attackers'.
    pub clients: Option<usize>,
}

impl Place {
    /// Takes the first two CPUs that this process may use.
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

    /// Makes the calling thread an attacker's: beside the measuring client, and behind it
    /// whenever both want to run, so that what is measured is the server.
    pub fn become_attacker(self) {
        if let Some(cpu) = self.clients {
            let mut set = CpuSet::new();
            set.set(cpu).expect("a CPU that is allowed");
            sched_setaffinity(Pid::from_raw(0), &set).expect("failed to pin an attacker");
        }
        // A thread of this class is preempted by any other that wakes; a nice one only gets less.
        if !reschedule(&["--idle", "--pid", "0"], gettid()) {
            println!("SKIPPED idle attackers: no chrt here, so they share the good client's CPU");
        }
    }
}

/// Lets the calling thread run before other programs, where that is allowed.
pub fn go_first() {
    reschedule(&["--rr", "--pid", "1"], gettid());
}

/// Lets a process with all its threads run before other programs, where that is allowed.
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

/// Lets this process and its children have as many files open as it may; how many that is.
pub fn raise_open_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit one may");
    hard
}
