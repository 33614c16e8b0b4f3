//! Timeline: the results of each second of the measured window.

use serde::{Deserialize, Serialize};

use super::packed::Packed;
use super::percentiles::{Percentiles, quantile_us};
use crate::measure::Interval;

/// Calls that ended between two cuts of the window; times count from the start of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Start in seconds.
    pub at_s: f64,
    /// Length in seconds. Calls that ended after the window form one more second.
    pub length_s: f64,
    /// Number of calls that ended.
    pub calls: u64,
    /// Number of failed calls.
    pub failed: u64,
    /// Latency of the calls in µs, from the intended start.
    pub latency_us: Percentiles,
    /// 99th percentile of the lag in µs.
    pub lag_p99_us: Option<f64>,
    /// Longest delay of the generator itself, in µs.
    pub stall_us: f64,
    /// Complete histogram of the latency, so that seconds can be merged.
    pub response: Packed,
}

impl Second {
    /// Returns the second for an interval that began `at_s` seconds after the start of the window.
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

    /// Adds the corresponding second of another generator.
    ///
    /// # Errors
    /// A histogram cannot be decoded.
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
