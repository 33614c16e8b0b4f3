//! Resource use during a run: by the target, the generator, and the machine.

pub(crate) mod machine;
pub(crate) mod target;
mod window;

use std::time::Duration;

use nix::errno::Errno;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

pub use machine::{Machine, PressureShares};
pub use target::{Memory, Switches, Target, Used};
pub use window::{Readings, Window};

/// Largest process ID on Linux (`PID_MAX_LIMIT`).
const PID_MAX: i32 = 1 << 22;

/// CPU clock of a process. It includes all threads, ended ones, and kernel threads of io_uring.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// Returns the clock of the process `pid`.
    ///
    /// # Errors
    /// ESRCH if the process does not exist.
    pub fn of(pid: i32) -> Result<Self, Errno> {
        if !(1..=PID_MAX).contains(&pid) {
            // The system would take 0, and the low bits of a large number, for other processes.
            return Err(Errno::ESRCH);
        }
        clock_getcpuclockid(Pid::from_raw(pid)).map(Self)
    }

    /// Returns the clock of this process.
    pub fn own() -> Self {
        Self(ClockId::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// Returns the clock of the calling thread.
    pub fn of_thread() -> Self {
        Self(ClockId::CLOCK_THREAD_CPUTIME_ID)
    }

    /// Returns the CPU time used so far.
    ///
    /// # Errors
    /// The process has ended.
    pub fn read(self) -> Result<Duration, Errno> {
        let time = clock_gettime(self.0)?;
        Ok(Duration::new(
            time.tv_sec().max(0) as u64,
            time.tv_nsec().clamp(0, 999_999_999) as u32,
        ))
    }
}

/// Ticks of all CPUs, from the first line of `/proc/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    stolen: u64,
    total: u64,
}

impl Ticks {
    /// Returns the ticks so far; `None` if the system does not report them.
    pub fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses `cpu user nice system idle iowait irq softirq steal …`; the columns after `steal` are
    /// already included in user and nice.
    fn parse(stat: &str) -> Option<Self> {
        let mut words = stat.lines().next()?.split_ascii_whitespace();
        words.next().filter(|word| *word == "cpu")?;
        let ticks: Vec<u64> = words
            .take(8)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let stolen = *ticks.get(7)?;
        Some(Self {
            stolen,
            total: ticks.iter().sum(),
        })
    }

    /// Returns the share of ticks since `earlier` that the hypervisor gave to other guests, 0 to 1.
    pub fn stolen_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        let stolen = self.stolen.saturating_sub(earlier.stolen);
        if total == 0 {
            0.0
        } else {
            stolen as f64 / total as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_and_foreign_clocks_run() {
        let pid = std::process::id() as i32;
        let (own, same) = (CpuClock::own(), CpuClock::of(pid).unwrap());
        let before = same.read().unwrap();
        let mut sum = 0u64;
        while own.read().unwrap() < before + Duration::from_millis(2) {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        std::hint::black_box(sum);
        assert!(same.read().unwrap() > before);
        assert_eq!(CpuClock::of(0).unwrap_err(), Errno::ESRCH);
        assert_eq!(CpuClock::of(-1).unwrap_err(), Errno::ESRCH);
        assert_eq!(CpuClock::of(i32::MAX).unwrap_err(), Errno::ESRCH);
        assert!(CpuClock::of(PID_MAX).is_err());
    }

    #[test]
    fn steal_is_a_share_of_all_ticks() {
        let before = Ticks::parse("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1\n").unwrap();
        let after = Ticks::parse("cpu  20 0 20 140 0 0 0 20 9 0\n").unwrap();
        assert!((after.stolen_since(before) - 0.1).abs() < 1e-9);
        assert!(after.stolen_since(after).abs() < 1e-9);
        assert_eq!(Ticks::parse("intr 1 2\n"), None);
        assert_eq!(Ticks::parse("cpu 1 2 3\n"), None);
        assert!(Ticks::read().is_some());
    }
}
