//! Clocks and counters at both ends of the measured window, and their differences.

use std::time::Duration;

use super::machine::{Pressure, PressureShares};
use super::target::{Switches, Target, Usage, Used};
use super::{CpuClock, Ticks};

/// Readings of all clocks and counters at one end of the window.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    target: Option<Usage>,
    own_cpu: Duration,
    own_switches: Option<Switches>,
    ticks: Option<Ticks>,
    pressure: Pressure,
}

/// Resource use over the measured window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Length of the window.
    pub length: Duration,
    /// Resource use of the target, if it was requested and could be read at both ends.
    pub target: Option<Used>,
    /// CPU time of the generator.
    pub own_cpu: Duration,
    /// Context switches of the generator.
    pub own_switches: Option<Switches>,
    /// Share of the machine's time that the hypervisor gave to other guests.
    pub steal_share: Option<f64>,
    /// Shares of the time in which tasks waited for resources.
    pub pressure: PressureShares,
    /// True if the run was interrupted within the window.
    pub interrupted: bool,
}

impl Readings {
    /// Reads all clocks and counters now.
    pub fn take(target: Option<&Target>) -> Self {
        Self {
            target: target.and_then(|target| target.read().ok()),
            own_cpu: CpuClock::own().read().unwrap_or_default(),
            own_switches: Switches::of(std::process::id() as i32),
            ticks: Ticks::read(),
            pressure: Pressure::read(),
        }
    }

    /// Returns the differences to `before`, for a window of this length.
    pub fn since(&self, before: &Self, length: Duration, interrupted: bool) -> Window {
        let target = self.target.as_ref().zip(before.target.as_ref());
        let switches = self.own_switches.zip(before.own_switches);
        let ticks = self.ticks.zip(before.ticks);
        Window {
            length,
            target: target.map(|(now, then)| now.since(then)),
            own_cpu: self.own_cpu.saturating_sub(before.own_cpu),
            own_switches: switches.map(|(now, then)| now.since(then)),
            steal_share: ticks.map(|(now, then)| now.stolen_since(then)),
            pressure: self.pressure.since(before.pressure, length.as_secs_f64()),
            interrupted,
        }
    }
}
