//! What the run costs, and who pays: the target, the generator, the machine under both.

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

/// The largest process id that Linux gives (`PID_MAX_LIMIT`).
const PID_MAX: i32 = 1 << 22;

/// The CPU time of a process: all its threads, kernel helpers of io_uring and ended ones included.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of the process `pid`.
    ///
    /// # Errors
    /// ESRCH when there is no such process.
    pub fn of(pid: i32) -> Result<Self, Errno> {
        if !(1..=PID_MAX).contains(&pid) {
            // The system would take 0, and the low bits of a large number, for other processes.
            return Err(Errno::ESRCH);
        }
        clock_getcpuclockid(Pid::from_raw(pid)).map(Self)
    }

    /// The clock of this process.
    pub fn own() -> Self {
        Self(ClockId::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// The clock of the thread that reads it.
    pub fn of_thread() -> Self {
        Self(ClockId::CLOCK_THREAD_CPUTIME_ID)
    }

    /// The CPU time used so far.
    ///
    /// # Errors
    /// When the process has ended.
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
    /// The ticks so far; `None` where the system does not tell.
    pub fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu user nice system idle iowait irq softirq steal …`; what follows steal is a part of
    /// user and nice already.
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

    /// The share of ticks since `earlier` that the hypervisor gave to others, 0 to 1.
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
