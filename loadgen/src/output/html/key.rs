//! Key figures of a page, in large type.

use crate::chart::escape;
use crate::report::{Body, Document, Report};
use crate::units::{count, percent, time, time_or_none};

/// Returns the key figures of a document; none for a comparison, whose first chart shows them.
pub(super) fn figures(document: &Document) -> String {
    let figures = match &document.body {
        Body::Run(report) => of_run(report),
        Body::Search(search) => match &search.confirmation {
            Some(report) => of_run(report),
            None => return String::new(),
        },
        Body::Calibrate(calibration) => vec![
            (
                "generator, per call",
                cpu(calibration.null.cost.generator_cpu_us_per_rpc),
            ),
            (
                "null responder, calls/s",
                count(calibration.null.counts.rps.round()),
            ),
            ("raw echo, messages/s", count(calibration.echo.rps.round())),
            (
                "raw echo, per message",
                cpu(Some(calibration.echo.generator_cpu_us)),
            ),
        ],
        Body::Compare(_) | Body::Sweep(_) | Body::Collection(_) => return String::new(),
    };
    let cell = |(name, value): &(&str, String)| {
        format!(
            "<div><dd>{}</dd><dt>{}</dt></div>",
            escape(value),
            escape(name)
        )
    };
    let cells: String = figures.iter().map(cell).collect();
    format!("<dl class=\"key\">{cells}</dl>\n")
}

fn of_run(report: &Report) -> Vec<(&'static str, String)> {
    let latency = &report.latency_us;
    let bad = report.failed() + report.counts.censored;
    let all = (bad + report.counts.ok).max(1);
    let mut figures = vec![
        ("p50", time_or_none(latency.p50)),
        ("p99", time_or_none(latency.p99)),
        ("p99.9", time_or_none(latency.p999)),
        ("good calls/s", count(report.counts.rps.round())),
        ("failed or unfinished", percent(bad as f64 / all as f64)),
    ];
    if report.cost.target_cpu_us_per_rpc.is_some() {
        figures.push((
            "target CPU per call",
            cpu(report.cost.target_cpu_us_per_rpc),
        ));
    }
    figures
}

fn cpu(us: Option<f64>) -> String {
    us.map_or_else(|| "n/a".to_owned(), time)
}
