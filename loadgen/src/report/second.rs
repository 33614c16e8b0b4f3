//! The timeline: what each second of the measured window saw.

use serde::{Deserialize, Serialize};

use super::packed::Packed;
use super::percentiles::{Percentiles, quantile_us};
use crate::measure::Interval;

/// What ended between two cuts of the window; times count from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// When it began, in seconds.
    pub at_s: f64,
    /// How long it was, in seconds. What ended after the window comes as one second more.
    pub length_s: f64,
    /// Calls that ended in it.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Their latency in µs, from the intended start.
    pub latency_us: Percentiles,
    /// The lag that 99 of 100 calls did not exceed, in µs.
    pub lag_p99_us: Option<f64>,
    /// How late the generator itself was at most, in µs.
    pub stall_us: f64,
    /// The latencies, so that seconds can be merged.
    pub response: Packed,
}

impl Second {
    /// An interval of a window that began at `measure`.
    pub fn of(interval: &Interval, at_s: f64) -> Self {
        let Interval { measured, .. } = interval;
        Self {
            at_s,
            length_s: interval.seconds(),
            calls: measured.response.len(),
            failed: interval.failed,
            latency_us: Percentiles::of(&measured.response),
            lag_p99_us: quantile_us(&measured.lag, 990),
            stall_us: interval.gap_max.as_secs_f64() * 1e6,
            response: Packed::pack(&measured.response),
        }
    }

    /// Adds the same second of another generator.
    ///
    /// # Errors
    /// When either holds no histogram.
    pub fn merge(&mut self, other: &Self) -> Result<(), String> {
        let mut response = self.response.unpack()?;
        crate::measure::add(&mut response, &other.response.unpack()?);
        self.length_s = self.length_s.max(other.length_s);
        self.calls += other.calls;
        self.failed += other.failed;
        self.latency_us = Percentiles::of(&response);
        let lags = [self.lag_p99_us, other.lag_p99_us].into_iter().flatten();
        self.lag_p99_us = lags.reduce(f64::max);
        self.stall_us = self.stall_us.max(other.stall_us);
        self.response = Packed::pack(&response);
        Ok(())
    }
}
