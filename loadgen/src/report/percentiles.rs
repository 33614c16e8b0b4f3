//! Quantiles, reported only if enough samples lie beyond them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Smallest number of samples beyond a quantile for it to be reported.
const SAMPLES_BEYOND_MIN: u64 = 10;

/// Quantiles in µs; `None` if too few samples lie beyond them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile. Tables do not show it; objectives and conditions accept it.
    #[serde(default)]
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Maximum.
    pub max: Option<f64>,
    /// Arithmetic mean.
    #[serde(default)]
    pub mean: Option<f64>,
}

/// Share of a latency above which the generator's own delay is most of it.
const LATE_SHARE_MAX: f64 = 0.5;

impl Percentiles {
    /// Computes the quantiles of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |per_mille| quantile_us(histogram, per_mille);
        let max = (!histogram.is_empty()).then(|| histogram.max() as f64 / 1e3);
        Self {
            p50: at(500),
            p90: at(900),
            p95: at(950),
            p99: at(990),
            p999: at(999),
            max,
            mean: (!histogram.is_empty()).then(|| histogram.mean() / 1e3),
        }
    }

    /// Returns percentiles and the maximum in the order of tables.
    pub fn values(&self) -> [Option<f64>; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max]
    }

    /// Returns mean, percentiles and the maximum in the order of tables.
    pub fn with_mean(&self) -> [Option<f64>; 6] {
        let [p50, p90, p99, p999, max] = self.values();
        [self.mean, p50, p90, p99, p999, max]
    }

    /// Returns true if the generator's own delay is most of the latency with this name.
    pub(crate) fn is_mostly(&self, late: &Self, name: &str) -> bool {
        let of = |all: &Self| all.named(name).flatten();
        let share = of(late).zip(of(self)).map(|(late, all)| late / all);
        share.is_some_and(|share| share > LATE_SHARE_MAX)
    }

    /// Returns the quantile with this name, such as `p99`; the outer `None` means an unknown name.
    pub fn named(&self, name: &str) -> Option<Option<f64>> {
        match name {
            "p50" => Some(self.p50),
            "p90" => Some(self.p90),
            "p95" => Some(self.p95),
            "p99" => Some(self.p99),
            "p999" => Some(self.p999),
            "max" => Some(self.max),
            "mean" => Some(self.mean),
            _ => None,
        }
    }
}

/// Returns the quantile in µs, if at least ten samples lie beyond it.
pub fn quantile_us(histogram: &Histogram<u64>, per_mille: u32) -> Option<f64> {
    debug_assert!(per_mille < 1000);
    let beyond = u128::from(histogram.len()) * u128::from(1000 - per_mille);
    let enough = beyond >= u128::from(SAMPLES_BEYOND_MIN) * 1000;
    let value = || histogram.value_at_quantile(f64::from(per_mille) / 1e3) as f64 / 1e3;
    enough.then(value)
}

/// Returns the number of samples that a quantile needs to be reported.
pub fn samples_needed(per_mille: u32) -> u64 {
    debug_assert!(per_mille < 1000);
    (SAMPLES_BEYOND_MIN * 1000).div_ceil(u64::from(1000 - per_mille))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;

    #[test]
    fn a_quantile_needs_ten_samples_beyond_it() {
        for (per_mille, needed) in [
            (500, 20),
            (900, 100),
            (950, 200),
            (990, 1000),
            (999, 10_000),
        ] {
            assert_eq!(samples_needed(per_mille), needed);
            let mut values = histogram();
            values.record_n(1000, needed - 1).unwrap();
            assert_eq!(quantile_us(&values, per_mille), None, "{per_mille}");
            values.record(1000).unwrap();
            assert_eq!(quantile_us(&values, per_mille), Some(1.0), "{per_mille}");
        }
        let none = Percentiles::of(&histogram());
        assert_eq!(none.values(), [None; 5]);
        let mut one = histogram();
        one.record(2000).unwrap();
        let one = Percentiles::of(&one);
        assert_eq!(
            (one.named("p50"), one.named("max")),
            (Some(None), Some(Some(2.0)))
        );
        assert_eq!((one.named("p95"), one.named("p98")), (Some(None), None));
        assert_eq!((one.named("mean"), none.mean), (Some(Some(2.0)), None));
    }
}
