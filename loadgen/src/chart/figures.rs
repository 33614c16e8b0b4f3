//! Which charts a finding has.

mod latency;
mod series;

use super::Chart;
use super::forest;
use crate::report::{Body, Document};

/// Every chart of the document, the most telling first.
///
/// # Errors
/// When a histogram is unreadable.
pub(crate) fn charts(document: &Document) -> Result<Vec<Chart>, String> {
    let charts = match &document.body {
        Body::Run(report) => {
            let mut charts = vec![latency::of_run(report)?];
            charts.extend(latency::timeline(report));
            charts.extend(latency::rate(report));
            charts
        }
        Body::Compare(comparison) => {
            let mut charts = vec![forest::ratios(comparison)];
            charts.extend(latency::of_comparison(comparison)?);
            charts.extend(series::turns(comparison));
            charts
        }
        Body::Search(search) => series::search(search),
        Body::Sweep(sweep) => series::sweep(sweep),
        Body::Calibrate(calibration) => vec![latency::of_run(&calibration.null)?],
    };
    Ok(charts)
}
