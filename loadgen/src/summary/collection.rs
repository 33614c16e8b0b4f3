//! Summary of several results.

use super::{Page, told};
use crate::command::{Collection, Finding, warning_of};
use crate::report::{Body, Report};

/// Largest number of rows in the table of runs on a terminal; the page has all.
const RUNS_MAX: usize = 8;

/// Largest number of lines for results other than runs.
const OTHERS_MAX: usize = 4;

/// Columns of a name.
const NAME_MAX: usize = 19;

/// Returns a row for each run, and a line for each other result.
pub(super) fn summary(collection: &Collection, page: Page) -> String {
    let mut lines = Vec::new();
    let runs: Vec<_> = collection.runs().collect();
    let named = runs
        .iter()
        .map(|(name, _)| page.name(name, NAME_MAX).chars().count());
    let width = named.max().unwrap_or_default().max(NAME_MAX);
    let row = |name: &str, cells: [String; 6]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        format!("{:<width$} {cells}", page.name(name, NAME_MAX))
    };
    if !runs.is_empty() {
        let echo = collection.raw_echo.as_ref();
        let last = if echo.is_some() { "of echo" } else { "failed" };
        lines.push(row(
            "µs",
            ["ok/s", "p50", "p99", "max", "cpu", last].map(str::to_owned),
        ));
        lines.extend(runs.iter().take(page.rows(RUNS_MAX)).map(|(name, report)| {
            let last = match echo {
                Some(echo) => echo.share(report).map_or("n/a".to_owned(), percent),
                None => report.failed().to_string(),
            };
            row(name, cells(report, last))
        }));
    }
    let others: Vec<_> = collection.others().collect();
    lines.extend(
        others
            .iter()
            .take(page.rows(OTHERS_MAX))
            .map(|found| one_line(found, page)),
    );
    let unseen = runs.len().saturating_sub(page.rows(RUNS_MAX))
        + others.len().saturating_sub(page.rows(OTHERS_MAX));
    if unseen > 0 {
        lines.push(format!("and {unseen} more, in the JSON and the HTML"));
    }
    let mut warnings = collection.warnings.clone();
    for found in others {
        let own = own_warnings(&found.finding.body).iter();
        warnings.extend(own.map(|text| warning_of(text, &found.name)));
    }
    page.text(lines, &warnings)
}

fn cells(report: &Report, last: String) -> [String; 6] {
    let latency = &report.latency_us;
    [
        format!("{:.0}", report.counts.rps),
        told(latency.p50, 0),
        told(latency.p99, 0),
        told(latency.max, 0),
        told(report.cost.target_cpu_us_per_rpc, 2),
        last,
    ]
}

/// Formats a ratio of calls to raw echo messages per CPU-second as a percentage.
pub(super) fn percent(share: f64) -> String {
    let digits = if share < 0.1 { 1 } else { 0 };
    format!("{:.digits$} %", share * 100.0)
}

fn one_line(Finding { name, finding }: &Finding, page: Page) -> String {
    let summary = super::summarize(finding, None);
    let text = match &finding.body {
        Body::Sweep(sweep) => {
            let most = sweep.reports().map(|report| report.counts.rps);
            let (points, most) = (sweep.points.len(), most.fold(0.0, f64::max));
            format!("{points} points, {most:.0} ok/s at most")
        }
        Body::Compare(comparison) => comparison.verdict.clone(),
        _ => summary.lines().next().unwrap_or_default().to_owned(),
    };
    format!("{}: {text}", page.name(name, NAME_MAX))
}

fn own_warnings(body: &Body) -> &[String] {
    match body {
        Body::Run(report) => &report.warnings,
        Body::Sweep(sweep) => &sweep.warnings,
        Body::Search(search) => &search.warnings,
        Body::Compare(comparison) => &comparison.warnings,
        Body::Calibrate(calibration) => &calibration.warnings,
        Body::Collection(collection) => &collection.warnings,
    }
}
