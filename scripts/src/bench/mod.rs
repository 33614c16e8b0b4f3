//! `cargo x bench …`: measurements with tools that are not ours, so that nobody need trust ours.

pub mod costs;
pub mod h2load;
mod report;
mod server;
pub mod table;

use clap::Subcommand;

/// The foreign tools.
#[derive(Subcommand)]
pub enum Task {
    /// CPU time per RPC with nghttp2's load generator, beside tonic and the raw socket.
    H2load(h2load::Arguments),
    /// What each thing costs that a server can be told to do, with the same generator.
    Costs(costs::Arguments),
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
