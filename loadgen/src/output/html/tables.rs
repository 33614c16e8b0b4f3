//! Tables of a page: percentiles, outcomes, points, and parameters.

use super::environment::environment;
use crate::chart::escape;
use crate::command::{Comparison, RawEcho, Search, Sweep};
use crate::report::{Body, Document, FailureRow, Percentiles, Report};
use crate::stats::Estimate;
use crate::units::{count, percent, time, time_or_none};

/// Cells of a row.
pub(super) type Row = Vec<String>;

/// Returns the table next to the first chart.
pub(super) fn first(document: &Document) -> String {
    match &document.body {
        Body::Run(report) => percentiles(report),
        Body::Compare(comparison) => metrics(comparison),
        Body::Search(search) => probes(search),
        Body::Sweep(sweep) => points(sweep),
        Body::Calibrate(calibration) => percentiles(&calibration.null),
        Body::Collection(_) => String::new(),
    }
}

/// Returns the tables at the end of the page.
pub(super) fn rest(document: &Document) -> String {
    match &document.body {
        Body::Run(report) => {
            outcomes(&[("", report)])
                + &failures(report)
                + &methods(report)
                + &agents(report)
                + &environment(&report.machine, Some(report))
        }
        Body::Compare(comparison) => {
            let named =
                |name, report: &'_ Option<Box<Report>>| Some((name, report.as_deref()?.clone()));
            let [a, b] = &comparison.names;
            let both = [
                named(a.as_str(), &comparison.a),
                named(b.as_str(), &comparison.b),
            ];
            let both: Vec<_> = both.into_iter().flatten().collect();
            let shown: Vec<_> = both.iter().map(|(name, report)| (*name, report)).collect();
            let of = shown.first().map(|(_, report)| *report);
            outcomes(&shown) + &environment(&comparison.machine, of)
        }
        Body::Search(search) => search
            .confirmation
            .as_deref()
            .map_or(String::new(), |report| {
                percentiles(report) + &environment(&report.machine, Some(report))
            }),
        Body::Sweep(sweep) => sweep.points.first().map_or(String::new(), |point| {
            environment(&point.report.machine, Some(&point.report))
        }),
        Body::Calibrate(calibration) => {
            environment(&calibration.null.machine, Some(&calibration.null))
        }
        Body::Collection(_) => String::new(),
    }
}

/// Longest cell in characters that is never wrapped.
const UNBROKEN_MAX: usize = 14;

/// Largest number of columns of a table that keeps its form on a narrow screen; wider ones become
/// lists there.
const COLUMNS_MAX: usize = 4;

/// Returns a table with its title.
pub(super) fn table(title: &str, head: &[&str], rows: &[Row]) -> String {
    let names = head.iter().map(|text| format!("<th>{}</th>", escape(text)));
    let names: String = names.collect();
    let cell = |(name, text): (&&str, &String)| {
        let class = match text.chars().count() > UNBROKEN_MAX {
            true => " class=\"text\"",
            false => "",
        };
        let (name, text) = (escape(name), escape(text));
        format!("<td{class} data-name=\"{name}\">{text}</td>")
    };
    let row = |row: &Row| {
        let cells: String = head.iter().zip(row).map(cell).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = rows.iter().map(row).collect();
    let class = match head.len() > COLUMNS_MAX {
        true => " class=\"wide\"",
        false => "",
    };
    format!(
        "<section><h2>{}</h2><div class=\"scroll\"><table{class}><thead><tr>{names}</tr></thead>\
         <tbody>{rows}</tbody></table></div></section>\n",
        escape(title)
    )
}

/// Column heads of a table of percentiles.
pub(super) const PERCENTILES: [&str; 6] = ["", "p50", "p90", "p99", "p99.9", "slowest"];

/// Column heads of a table of percentiles with the mean.
const WITH_MEAN: [&str; 7] = ["", "mean", "p50", "p90", "p99", "p99.9", "slowest"];

fn percentile_row(name: &str, values: &Percentiles) -> Row {
    let cells = values.with_mean().map(time_or_none);
    [name.to_owned()].into_iter().chain(cells).collect()
}

fn percentiles(report: &Report) -> String {
    let mut rows = vec![
        percentile_row("latency, from the intended start", &report.latency_us),
        percentile_row("service, from the sending", &report.service_us),
        percentile_row("first byte, from the sending", &report.first_byte_us),
    ];
    rows.extend(
        report
            .lag_us
            .as_ref()
            .map(|lag| percentile_row("lag of the sending", lag)),
    );
    if let Some(messages) = &report.messages {
        let (first, each) = (&messages.first_us, &messages.each_us);
        rows.push(percentile_row("first message, from the sending", first));
        rows.push(percentile_row(
            "each message, from what it answers or follows",
            each,
        ));
    }
    let stall = &report.cost.generator_stall_us;
    rows.push(percentile_row("the generator's own lateness", stall));
    table("Percentiles", &WITH_MEAN, &rows)
}

fn outcomes(reports: &[(&str, &Report)]) -> String {
    let mut rows = Vec::new();
    for (name, report) in reports {
        let all: u64 = report.outcomes.iter().map(|row| row.calls).sum();
        for row in &report.outcomes {
            let label = match name.is_empty() {
                true => row.name.clone(),
                false => format!("{name}: {}", row.name),
            };
            rows.push(vec![
                label,
                count(row.calls as f64),
                percent(row.calls as f64 / all.max(1) as f64),
                time_or_none(row.latency_us.p50),
                time_or_none(row.latency_us.p99),
                time_or_none(row.latency_us.max),
            ]);
        }
    }
    table(
        "How calls ended",
        &["status", "calls", "share", "p50", "p99", "slowest"],
        &rows,
    )
}

fn failures(report: &Report) -> String {
    if report.failures.is_empty() {
        return String::new();
    }
    let row = |row: &FailureRow| {
        vec![
            row.text.clone(),
            row.status.clone(),
            count(row.calls as f64),
        ]
    };
    let rows: Vec<Row> = report.failures.iter().map(row).collect();
    table("Why calls failed", &["text", "status", "calls"], &rows)
}

fn methods(report: &Report) -> String {
    if report.methods.is_empty() {
        return String::new();
    }
    let row = |row: &crate::report::MethodRow| {
        vec![
            row.name.clone(),
            count(row.ok as f64),
            count(row.failed as f64),
            count(row.censored as f64),
            time_or_none(row.latency_us.p50),
            time_or_none(row.latency_us.p99),
            time_or_none(row.latency_us.max),
        ]
    };
    let rows: Vec<Row> = report.methods.iter().map(row).collect();
    let head = [
        "method",
        "ok",
        "failed",
        "not ended",
        "p50",
        "p99",
        "slowest",
    ];
    table("Each method", &head, &rows)
}

fn agents(report: &Report) -> String {
    if report.agents.is_empty() {
        return String::new();
    }
    let row = |share: &crate::report::AgentShare| {
        let rate = count(share.rps.round());
        vec![share.agent.clone(), rate, time_or_none(share.p99_us)]
    };
    let rows: Vec<Row> = report.agents.iter().map(row).collect();
    table("What each agent saw", &["agent", "ok/s", "p99"], &rows)
}

fn metrics(comparison: &Comparison) -> String {
    let [a, b] = &comparison.names;
    let value = |metric: &str, value: Option<f64>| match (metric, value) {
        (_, None) => "n/a".to_owned(),
        ("rps", Some(rate)) => count(rate.round()),
        (_, Some(us)) => time(us),
    };
    let interval = |estimate: Option<Estimate>| {
        let text =
            |e: Estimate| format!("{:.3} ({:.3}\u{a0}to\u{a0}{:.3})", e.ratio, e.low, e.high);
        estimate.map_or_else(|| "n/a".to_owned(), text)
    };
    let row = |metric: &crate::command::Metric| {
        vec![
            metric.name.clone(),
            value(&metric.name, metric.a),
            value(&metric.name, metric.b),
            interval(metric.ratio),
            interval(metric.unfiltered),
            metric
                .noise
                .map_or("n/a".to_owned(), |noise| percent(noise - 1.0)),
            metric.verdict.to_string(),
        ]
    };
    let rows: Vec<Row> = comparison.metrics.iter().map(row).collect();
    let ratio = format!("{a} ÷ {b}");
    let head = ["median", a, b, &ratio, "all turns", "noise", "verdict"];
    table("The figures", &head, &rows)
}

fn probes(search: &Search) -> String {
    let row = |probe: &crate::command::Probe| {
        vec![
            count(probe.rate.round()),
            count(probe.rps.round()),
            time_or_none(probe.latency_us.p50),
            time_or_none(probe.latency_us.named(&search.percentile).flatten()),
            probe.target_cpu_us_per_rpc.map_or("n/a".to_owned(), time),
            match (&probe.failure, probe.confirming) {
                (None, false) => "holds".to_owned(),
                (None, true) => "holds, confirmed".to_owned(),
                (Some(why), _) => why.clone(),
            },
        ]
    };
    let rows: Vec<Row> = search.probes.iter().map(row).collect();
    let head = [
        "offered/s",
        "ok/s",
        "p50",
        &search.percentile,
        "CPU per call",
        "",
    ];
    table("Every rate that was tried", &head, &rows)
}

fn points(sweep: &Sweep) -> String {
    let echo = sweep.raw_echo.as_ref();
    let row = |point: &crate::command::Point| {
        let report = &point.report;
        let mut row = vec![
            format!("{} × {}", report.setup.connections, report.setup.streams),
            point
                .rate
                .map_or("closed".to_owned(), |rate| count(rate.round())),
            count(report.counts.rps.round()),
            time_or_none(report.latency_us.p50),
            time_or_none(report.latency_us.p99),
            report
                .cost
                .target_cpu_us_per_rpc
                .map_or("n/a".to_owned(), time),
            count(report.failed() as f64),
        ];
        row.extend(echo.map(|echo| share_of(echo, report)));
        row
    };
    let rows: Vec<Row> = sweep.points.iter().map(row).collect();
    let mut head = vec![
        "connections × streams",
        "offered/s",
        "ok/s",
        "p50",
        "p99",
        "CPU per call",
        "failed",
    ];
    head.extend(echo.map(|_| OF_ECHO));
    table("Every point", &head, &rows)
}

/// Column head for values of [`share_of`].
pub(super) const OF_ECHO: &str = "of a raw echo";

/// Formats the run's calls per CPU-second as a share of the raw echo's messages.
pub(super) fn share_of(echo: &RawEcho, report: &Report) -> String {
    echo.share(report).map_or("n/a".to_owned(), percent)
}
