//! Statistics of comparisons: how sure a ratio is, and the word for it.

mod bootstrap;
mod verdict;

pub(crate) use bootstrap::SAMPLES_MIN;
pub use bootstrap::{Estimate, median, ratio};
pub use verdict::{Verdict, judge, noise_floor};
