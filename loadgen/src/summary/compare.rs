//! Summary of a comparison: the sentence, then a row for each metric.

use super::{Page, told};
use crate::command::{Comparison, Metric};

/// Returns the verdict and a row for each metric.
pub(super) fn summary(comparison: &Comparison, page: Page) -> String {
    let [a, b] = &comparison.names;
    let (good, all) = comparison.pairs;
    let mut lines = vec![
        comparison.verdict.clone(),
        format!("         {good} of {all} pairs of turns count; 95 % intervals"),
        row(["", a, b, "A/B", "interval", "noise", ""]),
    ];
    lines.extend(comparison.metrics.iter().map(metric));
    page.text(lines, &comparison.warnings)
}

fn metric(metric: &Metric) -> String {
    let digits = if metric.name == "cpu_us" { 2 } else { 0 };
    let estimate = metric.ratio;
    let interval = estimate.map_or("n/a".to_owned(), |estimate| {
        format!("{:.3}–{:.3}", estimate.low, estimate.high)
    });
    let noise = metric.noise.map_or("n/a".to_owned(), |noise| {
        format!("±{:.1} %", (noise - 1.0) * 100.0)
    });
    row([
        &metric.name,
        &told(metric.a, digits),
        &told(metric.b, digits),
        &told(estimate.map(|estimate| estimate.ratio), 3),
        &interval,
        &noise,
        &metric.verdict.to_string(),
    ])
}

fn row([name, a, b, ratio, interval, noise, verdict]: [&str; 7]) -> String {
    let line = format!(
        "{name:<8}{:>11}{:>11}{ratio:>8}{interval:>14}{noise:>10}  {verdict}",
        super::cut(a, 10),
        super::cut(b, 10)
    );
    line.trim_end().to_owned()
}
