//! `cargo x bench …`: measurements with tools of other projects, so that the results do not depend
//! on our own tools.

pub mod costs;
pub mod h2load;
mod report;
mod server;
pub mod table;

use clap::Subcommand;

/// Measurements with tools of other projects.
#[derive(Subcommand)]
pub enum Task {
    /// Measure CPU time per RPC with nghttp2's load generator, compared with tonic and raw TCP.
    H2load(h2load::Arguments),
    /// Measure the cost of each optional feature of a server, with the same load generator.
    Costs(costs::Arguments),
}

/// Returns the median, or NaN of no values.
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
