//! Quantiles, told only when enough samples lie beyond them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// How many samples must lie beyond a quantile before it is told.
const SAMPLES_BEYOND_MIN: u64 = 10;

/// Quantiles in µs; none where too few samples lie beyond to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// Nine of ten are at most this.
    pub p90: Option<f64>,
    /// 95 of 100 are at most this. Tables do not show it, objectives and conditions know it.
    #[serde(default)]
    pub p95: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 are at most this.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
    /// The arithmetic mean.
    #[serde(default)]
    pub mean: Option<f64>,
}

/// Above this share of a latency, the generator's own lateness is most of it.
const LATE_SHARE_MAX: f64 = 0.5;

impl Percentiles {
    /// Reads them off a histogram of nanoseconds.
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

    /// Percentiles and the maximum, in the order in which tables show them.
    pub fn values(&self) -> [Option<f64>; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max]
    }

    /// Mean, percentiles and the maximum, in the order in which tables show them.
    pub fn with_mean(&self) -> [Option<f64>; 6] {
        let [p50, p90, p99, p999, max] = self.values();
        [self.mean, p50, p90, p99, p999, max]
    }

    /// The generator's own lateness is most of the latency with this name.
    pub(crate) fn is_mostly(&self, late: &Self, name: &str) -> bool {
        let of = |all: &Self| all.named(name).flatten();
        let share = of(late).zip(of(self)).map(|(late, all)| late / all);
        share.is_some_and(|share| share > LATE_SHARE_MAX)
    }

    /// The one with this name, as in `p99`; the outer `None` if there is no such name.
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

/// The quantile in µs, if at least ten samples lie beyond it.
pub fn quantile_us(histogram: &Histogram<u64>, per_mille: u32) -> Option<f64> {
    debug_assert!(per_mille < 1000);
    let beyond = u128::from(histogram.len()) * u128::from(1000 - per_mille);
    let enough = beyond >= u128::from(SAMPLES_BEYOND_MIN) * 1000;
    let value = || histogram.value_at_quantile(f64::from(per_mille) / 1e3) as f64 / 1e3;
    enough.then(value)
}

/// How many samples a quantile needs before it is told.
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
