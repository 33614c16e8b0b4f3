//! Selection of charts for each kind of result.

mod latency;
mod series;

use super::Chart;
use super::forest;
use crate::command::{Collection, Finding, unlike};
use crate::report::{Body, Document};

/// Returns every chart of the document, the most important first.
///
/// # Errors
/// A histogram cannot be decoded.
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
        Body::Collection(collection) => {
            let mut charts: Vec<Chart> = beside(collection)?.into_iter().collect();
            for found in collection.others() {
                charts.extend(of_finding(found)?);
            }
            unlike(charts.iter_mut().map(|chart| &mut chart.name));
            charts
        }
    };
    Ok(charts)
}

/// Returns a chart with all runs of a collection, if it has any.
///
/// # Errors
/// A histogram cannot be decoded.
pub(crate) fn beside(collection: &Collection) -> Result<Option<Chart>, String> {
    let runs: Vec<_> = collection.runs().collect();
    match runs.is_empty() {
        true => Ok(None),
        false => latency::of_runs(&runs).map(Some),
    }
}

/// Returns the charts of one result of a collection; their file names contain its name.
fn of_finding(found: &Finding) -> Result<Vec<Chart>, String> {
    let plain = |letter: char| match letter.is_alphanumeric() || "-_.".contains(letter) {
        true => letter,
        false => '-',
    };
    let name: String = found.name.chars().map(plain).collect();
    let charts = charts(&found.finding)?.into_iter();
    let named = charts.map(|chart| Chart {
        name: format!("{name}-{}", chart.name),
        ..chart
    });
    Ok(named.collect())
}
