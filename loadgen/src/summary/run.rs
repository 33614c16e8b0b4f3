//! Summary of a run.

use super::{Page, told};
use crate::process::Used;
use crate::report::{MessageReport, MethodRow, Percentiles, Report};
use crate::units::several;

/// Largest number of error texts on a terminal.
const FAILURES_MAX: usize = 5;

/// Returns the summary of a run, without colours.
pub(super) fn summary(report: &Report, page: Page) -> String {
    let setup = &report.setup;
    let mut lines = vec![
        format!("{} at {}", setup.method, setup.target),
        format!(
            "         {}, {}, {} after {} of warm-up",
            setup.shape(),
            setup.engine,
            seconds(setup.duration_s),
            seconds(setup.warmup_s),
        ),
    ];
    lines.extend(counts(report));
    lines.extend(failures(report, page));
    lines.push(percentile_head());
    lines.push(percentiles("latency", &report.latency_us));
    if let Some(lag) = &report.lag_us {
        lines.push(percentiles("service", &report.service_us));
        lines.push(percentiles("lag", lag));
    }
    lines.extend(report.methods.iter().map(method));
    lines.extend(report.messages.as_ref().map(messages));
    lines.push(cost(report));
    lines.extend(
        report
            .cost
            .target_use
            .as_ref()
            .map(|used| target(report, used)),
    );
    lines.extend(agents(report));
    page.text(lines, &report.warnings)
}

fn seconds(seconds: f64) -> String {
    let digits = if seconds > 0.0 && seconds < 1.0 { 3 } else { 1 };
    format!("{seconds:.digits$} s")
}

/// Returns a line on the differences between agents.
fn agents(report: &Report) -> Option<String> {
    let tails = report.agents.iter().filter_map(|share| share.p99_us);
    let lowest = tails.clone().reduce(f64::min);
    let highest = tails.reduce(f64::max);
    let count = report.agents.len();
    let span = lowest
        .zip(highest)
        .map(|(lowest, highest)| format!(", whose own p99 are {lowest:.1} to {highest:.1} µs"));
    (count > 0).then(|| format!("agents   {count}{}", span.unwrap_or_default()))
}

fn counts(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let mut calls = format!("calls    ok {}, failed {}", counts.ok, report.failed());
    let failed = counts.failed.iter();
    let names: Vec<_> = failed.map(|(name, n)| format!("{name} {n}")).collect();
    if !names.is_empty() {
        calls += &format!(" ({})", names.join(", "));
    }
    calls += &format!(", censored {}", counts.censored);
    let rate = match counts.offered_rps {
        Some(offered) => format!(
            "rate     {:.1} ok/s of {offered:.1} offered (open loop)",
            counts.rps
        ),
        None => format!("rate     {:.1} ok/s (closed loop)", counts.rps),
    };
    vec![calls, rate]
}

/// Returns the error texts, most frequent first.
fn failures(report: &Report, page: Page) -> Vec<String> {
    let shown = page.rows(FAILURES_MAX);
    let rows = report.failures.iter().take(shown);
    let mut lines: Vec<_> = rows
        .map(|row| format!("failure  {} × {}: {}", row.calls, row.status, row.text))
        .collect();
    if report.failures.len() > shown {
        let more = report.failures.len() - shown;
        lines.push(format!(
            "failure  and {more} more texts, in the JSON and the HTML"
        ));
    }
    lines
}

/// Returns the latency of one method of a mix.
fn method(row: &MethodRow) -> String {
    let values = percentiles("method", &row.latency_us);
    format!(
        "{values}  {}: ok {}, failed {}",
        row.name, row.ok, row.failed
    )
}

/// Returns the head of a table of percentiles in µs.
pub(super) fn percentile_head() -> String {
    let names = ["mean", "p50", "p90", "p99", "p99.9", "max"];
    row("µs", names.map(str::to_owned))
}

/// Returns a row of percentiles in µs.
pub(super) fn percentiles(name: &str, values: &Percentiles) -> String {
    row(name, values.with_mean().map(|value| told(value, 1)))
}

fn row(name: &str, cells: [String; 6]) -> String {
    let mut text = format!("{name:<8}");
    cells
        .iter()
        .for_each(|cell| text += &format!(" {cell:>10}"));
    text
}

/// Returns a line on the messages of streams.
fn messages(messages: &MessageReport) -> String {
    let tail = |values: &Percentiles| (told(values.p50, 1), told(values.p99, 1));
    let (each, timed) = match messages.each_us.max {
        Some(_) => ("each", tail(&messages.each_us)),
        None => ("first", tail(&messages.first_us)),
    };
    format!(
        "messages {} out, {} in ({:.1}/s); {each} p50 {}, p99 {}",
        messages.sent, messages.received, messages.received_per_s, timed.0, timed.1
    )
}

fn cost(report: &Report) -> String {
    let mut text = "cpu      ".to_owned();
    if let Some(cpu) = report.cost.target_cpu_us_per_rpc {
        text += &format!("target {cpu:.2} µs per call, ");
    }
    let share = report.cost.generator_cpu_share * 100.0;
    let cores = several(report.setup.cores, "core");
    text += &format!("generator {share:.0} % of {cores}");
    if let Some(share) = report.cost.steal_share {
        text += &format!(", steal {:.1} %", share * 100.0);
    }
    text
}

fn target(report: &Report, used: &Used) -> String {
    let mut text = "target   ".to_owned();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    if let Some(resident) = used.memory.resident_bytes {
        text += &format!("{:.1} MiB resident", mib(resident));
    }
    if let Some(peak) = used.memory.peak_bytes {
        text += &format!(", {:.1} MiB at most", mib(peak));
    }
    if let Some(switches) = used.switches {
        let all = switches.voluntary + switches.involuntary;
        let calls = report.counts.ended_in_window.max(1) as f64;
        text += &format!(", {:.2} switches per call", all as f64 / calls);
    }
    text
}
