//! Machine of the generator: its description, and the resources that it withheld.

use std::fs;

use serde::{Deserialize, Serialize};

/// Description of the machine that the generator ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Version of the kernel.
    pub kernel: String,
    /// Name of the processor.
    pub cpu: String,
    /// Number of processors that are online.
    pub cpus: usize,
    /// Frequency governor of the first processor; `None` if the machine does not report it.
    pub governor: Option<String>,
    /// True if the machine is virtual.
    pub virtual_machine: bool,
}

impl Machine {
    /// Reads the description from the system; unknown values stay empty.
    pub fn read() -> Self {
        let line = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = named("flags").unwrap_or_default();
        Self {
            host: line("/proc/sys/kernel/hostname").unwrap_or_default(),
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            cpu: named("model name").unwrap_or_default(),
            cpus: cpuinfo.matches("processor\t").count(),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtual_machine: flags.split(' ').any(|flag| flag == "hypervisor"),
        }
    }
}

/// Microseconds in which some task waited for a resource, from `/proc/pressure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    cpu: Option<u64>,
    memory: Option<u64>,
    io: Option<u64>,
}

/// Shares of the measured window in which some task waited, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PressureShares {
    /// Share of waiting for a CPU.
    pub cpu: Option<f64>,
    /// Share of waiting for memory.
    pub memory: Option<f64>,
    /// Share of waiting for a disk or a network file system.
    pub io: Option<f64>,
}

impl Pressure {
    /// Reads the waiting times so far; empty if the kernel does not count them.
    pub fn read() -> Self {
        let of = |name: &str| {
            let text = fs::read_to_string(format!("/proc/pressure/{name}")).ok()?;
            total(&text)
        };
        Self {
            cpu: of("cpu"),
            memory: of("memory"),
            io: of("io"),
        }
    }

    /// Returns the shares of the `seconds` since `earlier`.
    pub fn since(self, earlier: Self, seconds: f64) -> PressureShares {
        let share = |now: Option<u64>, then: Option<u64>| {
            let micros = now?.saturating_sub(then?) as f64;
            // The kernel posts it now and then, so a window may end with some from before it.
            (seconds > 0.0).then_some((micros / 1e6 / seconds).min(1.0))
        };
        PressureShares {
            cpu: share(self.cpu, earlier.cpu),
            memory: share(self.memory, earlier.memory),
            io: share(self.io, earlier.io),
        }
    }
}

/// Parses the total from `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    line.rsplit_once("total=")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_a_share_of_the_time() {
        let text = "some avg10=1.00 avg60=0.00 avg300=0.00 total=500000\nfull avg10=0 total=7\n";
        assert_eq!(total(text), Some(500_000));
        assert_eq!(total("full total=7\n"), None);
        let later = Pressure {
            cpu: Some(750_000),
            ..Pressure::default()
        };
        let earlier = Pressure {
            cpu: total(text),
            ..Pressure::default()
        };
        let shares = later.since(earlier, 1.0);
        assert_eq!((shares.cpu, shares.io), (Some(0.25), None));
    }

    #[test]
    fn the_machine_has_a_kernel_and_processors() {
        let machine = Machine::read();
        assert!(
            !machine.kernel.is_empty() && machine.cpus > 0,
            "{machine:?}"
        );
    }
}
