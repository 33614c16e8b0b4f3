//! Verdict on a ratio: faster, slower, within noise, cannot tell.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Estimate;

/// Largest factor between a ratio and an end of its interval for a useful estimate.
const REACH_MAX: f64 = 1.5;

/// Verdict on A compared with B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A is better: the interval excludes 1, and the ratio is beyond the noise floor.
    Faster,
    /// A is worse: the interval excludes 1, and the ratio is beyond the noise floor.
    Slower,
    /// The difference is within the noise floor, or the interval includes 1.
    WithinNoise,
    /// There is no estimate, it is too uncertain, or the generator was the limit.
    CannotTell,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::WithinNoise => "within noise",
            Self::CannotTell => "cannot tell",
        })
    }
}

/// Returns the verdict on the ratio of A to B. `noise` is the factor between two measurements of A:
/// 1.05 is 5 %.
///
/// A smaller value is better, unless `large_is_better`. Without a noise floor the verdict is
/// [`Verdict::CannotTell`].
pub fn judge(ratio: Option<Estimate>, noise: Option<f64>, large_is_better: bool) -> Verdict {
    let (Some(estimate), Some(noise)) = (ratio, noise) else {
        return Verdict::CannotTell;
    };
    let beyond = |ratio: f64| ratio.max(1.0 / ratio) > noise;
    let above = estimate.low > 1.0;
    if (above || estimate.high < 1.0) && beyond(estimate.ratio) {
        return match above == large_is_better {
            true => Verdict::Faster,
            false => Verdict::Slower,
        };
    }
    let reach = (estimate.high / estimate.ratio).max(estimate.ratio / estimate.low);
    match reach > REACH_MAX {
        true => Verdict::CannotTell,
        false => Verdict::WithinNoise,
    }
}

/// Returns the noise floor: the farther end of the interval of A compared with itself, at least 1.
pub fn noise_floor(aside: Option<Estimate>) -> Option<f64> {
    let aside = aside?;
    Some(aside.high.max(1.0 / aside.low).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::ratio;
    use super::*;
    use fastrand::Rng;

    /// Returns the verdict on pairs with this shift and spread, for a metric where smaller is
    /// better.
    fn judged(shift: f64, spread: f64, noise: f64) -> Verdict {
        let mut random = Rng::with_seed(3);
        let logs: Vec<f64> = (0..8)
            .map(|_| shift.ln() + spread * (random.f64() - 0.5))
            .collect();
        judge(ratio(&logs, 1), Some(noise), false)
    }

    #[test]
    fn words_for_known_shifts() {
        let cases = [
            (0.5, 0.1, 1.05, Verdict::Faster),
            (2.0, 0.1, 1.05, Verdict::Slower),
            (1.0, 0.1, 1.05, Verdict::WithinNoise),
            // A shift that the interval excludes, but that A beside itself shows too.
            (0.97, 0.01, 1.05, Verdict::WithinNoise),
            (0.9, 4.0, 1.05, Verdict::CannotTell),
        ];
        for (shift, spread, noise, wanted) in cases {
            let got = judged(shift, spread, noise);
            assert_eq!(got, wanted, "{shift} ± {spread}, noise {noise}");
        }
    }

    #[test]
    fn more_is_better_of_throughput() {
        let estimate = Estimate {
            ratio: 2.0,
            low: 1.9,
            high: 2.1,
        };
        assert_eq!(judge(Some(estimate), Some(1.1), true), Verdict::Faster);
        assert_eq!(judge(Some(estimate), Some(1.1), false), Verdict::Slower);
        assert_eq!(judge(None, Some(1.1), true), Verdict::CannotTell);
        assert_eq!(judge(Some(estimate), None, true), Verdict::CannotTell);
        assert_eq!(Verdict::WithinNoise.to_string(), "within noise");
    }

    #[test]
    fn noise_is_the_farther_end() {
        let aside = Estimate {
            ratio: 1.0,
            low: 0.8,
            high: 1.1,
        };
        assert_eq!(noise_floor(Some(aside)), Some(1.25));
        assert_eq!(noise_floor(None), None);
    }
}
