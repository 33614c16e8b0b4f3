//! Resource use of the target: CPU, memory and context switches of a process or a control group.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CpuClock;
use crate::error::LoadError;

/// Target whose resource use is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All threads of this process.
    Process(i32),
    /// All processes of this control group, given as its folder; version 1 or 2.
    Group(PathBuf),
}

/// Resource use of the target so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    cpu: Duration,
    switches: Option<Switches>,
    run_delay: Option<Duration>,
    memory: Memory,
}

/// Context switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Switches {
    /// Number of switches because the thread waited for something.
    pub voluntary: u64,
    /// Number of switches because the scheduler took the CPU from the thread.
    pub involuntary: u64,
}

/// Memory in bytes, if the system reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident memory now, in bytes.
    pub resident_bytes: Option<u64>,
    /// Largest resident memory so far, in bytes.
    pub peak_bytes: Option<u64>,
}

/// Resource use of the target in the measured window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// CPU time in seconds.
    pub cpu_s: f64,
    /// Context switches of the threads; `None` for a control group.
    pub switches: Option<Switches>,
    /// Seconds in which the threads were ready to run but had no CPU; `None` for a control group.
    pub run_delay_s: Option<f64>,
    /// Memory at the end of the window.
    #[serde(flatten)]
    pub memory: Memory,
}

impl Target {
    /// Reads the resource use so far.
    ///
    /// # Errors
    /// The process or group does not exist, or reports no CPU time.
    pub fn read(&self) -> Result<Usage, LoadError> {
        match self {
            Self::Process(pid) => read_process(*pid),
            Self::Group(folder) => read_group(folder),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::Group(folder) => write!(f, "control group {}", folder.display()),
        }
    }
}

impl Usage {
    /// Returns the resource use since `earlier`.
    pub fn since(&self, earlier: &Self) -> Used {
        let switches = self.switches.zip(earlier.switches);
        let delays = self.run_delay.zip(earlier.run_delay);
        Used {
            cpu_s: self.cpu.saturating_sub(earlier.cpu).as_secs_f64(),
            switches: switches.map(|(now, then)| now.since(then)),
            run_delay_s: delays.map(|(now, then)| now.saturating_sub(then).as_secs_f64()),
            memory: self.memory,
        }
    }
}

impl Switches {
    /// Returns the switches of a process so far, over all its living threads.
    pub fn of(pid: i32) -> Option<Self> {
        let mut sum = Self::default();
        for status in thread_files(pid, "status")? {
            sum.voluntary += field(&status, "voluntary_ctxt_switches:")?;
            sum.involuntary += field(&status, "nonvoluntary_ctxt_switches:")?;
        }
        Some(sum)
    }

    /// Returns the switches since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

fn read_process(pid: i32) -> Result<Usage, LoadError> {
    let cpu = CpuClock::of(pid).and_then(CpuClock::read);
    let cpu = cpu.map_err(|errno| LoadError::TargetPid {
        pid,
        cause: errno.desc().to_owned(),
    })?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name| field(&status, name).map(|kib| kib * 1024);
    Ok(Usage {
        cpu,
        switches: Switches::of(pid),
        run_delay: run_delay(pid),
        memory: Memory {
            resident_bytes: kib("VmRSS:"),
            peak_bytes: kib("VmHWM:"),
        },
    })
}

/// Returns the time that threads were ready but waited for a CPU: the second number in `schedstat`.
fn run_delay(pid: i32) -> Option<Duration> {
    let delays = thread_files(pid, "schedstat")?.into_iter().map(|text| {
        let nanos: Option<u64> = text.split_ascii_whitespace().nth(1)?.parse().ok();
        nanos
    });
    let nanos: u64 = delays.collect::<Option<Vec<_>>>()?.iter().sum();
    Some(Duration::from_nanos(nanos))
}

/// Reads one file of each thread; a thread that ends meanwhile is left out.
fn thread_files(pid: i32, name: &str) -> Option<Vec<String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let files = threads.flatten().map(|thread| thread.path().join(name));
    Some(
        files
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect(),
    )
}

/// Returns the number in the line with this name.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn read_group(folder: &Path) -> Result<Usage, LoadError> {
    let file = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| file(name)?.trim().parse::<u64>().ok();
    let modern = file("cpu.stat").and_then(|text| field(&text, "usage_usec"));
    let cpu = modern
        .map(Duration::from_micros)
        .or_else(|| number("cpuacct.usage").map(Duration::from_nanos));
    let cpu = cpu.ok_or_else(|| LoadError::TargetGroup {
        path: folder.to_owned(),
        cause: "it has neither usage_usec in cpu.stat nor cpuacct.usage".to_owned(),
    })?;
    let either = |modern, old| number(modern).or_else(|| number(old));
    Ok(Usage {
        cpu,
        switches: None,
        run_delay: None,
        memory: Memory {
            resident_bytes: either("memory.current", "memory.usage_in_bytes"),
            peak_bytes: either("memory.peak", "memory.max_usage_in_bytes"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_all_of_it() {
        // Not this process: threads of other tests end meanwhile and take their counts along.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "for i in 1 2 3 4 5; do sleep 0.1; done; sleep 9; :"])
            .spawn()
            .unwrap();
        let target = Target::Process(child.id() as i32);
        let before = target.read().unwrap();
        std::thread::sleep(Duration::from_millis(450));
        let used = target.read().unwrap().since(&before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(used.memory.peak_bytes >= used.memory.resident_bytes);
        assert!(used.memory.resident_bytes.unwrap() > 100_000, "{used:?}");
        assert!(used.switches.unwrap().voluntary >= 1, "{used:?}");
        let error = Target::Process(1 << 22).read().unwrap_err().to_string();
        assert!(error.contains("4194304"), "{error}");
    }

    #[test]
    fn groups_of_both_versions_are_read() {
        let folder = std::env::temp_dir().join(format!("load-group-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let target = Target::Group(folder.clone());
        let error = target.read().unwrap_err().to_string();
        assert!(error.contains("cpuacct.usage"), "{error}");
        fs::write(folder.join("cpuacct.usage"), "1500000000\n").unwrap();
        fs::write(folder.join("memory.usage_in_bytes"), "4096\n").unwrap();
        let old = target.read().unwrap();
        assert_eq!(old.cpu, Duration::from_millis(1500));
        assert_eq!(old.memory.resident_bytes, Some(4096));
        fs::write(folder.join("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").unwrap();
        fs::write(folder.join("memory.peak"), "8192\n").unwrap();
        let used = target.read().unwrap().since(&old);
        assert!((used.cpu_s - 1.0).abs() < 1e-9);
        assert_eq!(used.memory.peak_bytes, Some(8192));
        fs::remove_dir_all(folder).unwrap();
    }
}
