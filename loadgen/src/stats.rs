//! Statistics of comparisons: confidence intervals of ratios, and verdicts.

mod bootstrap;
mod verdict;

pub(crate) use bootstrap::SAMPLES_MIN;
pub use bootstrap::{Estimate, median, ratio};
pub use verdict::{Verdict, judge, noise_floor};
