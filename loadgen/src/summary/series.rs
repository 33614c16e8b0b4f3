//! Summaries of commands that make many runs, and of `calibrate`.

use super::collection::percent;
use super::run::{percentile_head, percentiles};
use super::{Page, told};
use crate::command::{Calibration, Search, Sweep};
use crate::units::several;

/// Largest number of table rows; the JSON has all points.
const POINTS_MAX: usize = 9;

/// Returns a row for each point of the grid.
pub(super) fn sweep(sweep: &Sweep, page: Page) -> String {
    let head = [
        "conns",
        "streams",
        "offered/s",
        "ok/s",
        "p50",
        "p99",
        "cpu µs",
    ];
    let echo = sweep.raw_echo.as_ref();
    let shown = page.rows(POINTS_MAX);
    let mut lines = vec![row(
        head.map(str::to_owned),
        echo.map(|_| "of echo".to_owned()),
    )];
    for point in sweep.points.iter().take(shown) {
        let report = &point.report;
        let rate = point.rate.map(|rate| format!("{rate:.0}"));
        let cells = [
            report.setup.connections.to_string(),
            report.setup.streams.to_string(),
            rate.unwrap_or("closed".to_owned()),
            format!("{:.0}", report.counts.rps),
            told(report.latency_us.p50, 0),
            told(report.latency_us.p99, 0),
            told(report.cost.target_cpu_us_per_rpc, 2),
        ];
        let share = echo.map(|echo| echo.share(report).map_or("n/a".to_owned(), percent));
        lines.push(row(cells, share));
    }
    if sweep.points.len() > shown {
        let more = sweep.points.len() - shown;
        lines.push(format!("and {more} more points, in the JSON and the HTML"));
    }
    lines.extend(beside_echo(sweep));
    page.text(lines, &sweep.warnings)
}

fn row(cells: [String; 7], last: Option<String>) -> String {
    let text = cells.iter().chain(&last).map(|cell| format!("{cell:>10}"));
    text.collect::<String>().trim_end().to_owned()
}

/// Returns the best ratio of the target's calls to raw echo messages per CPU-second.
fn beside_echo(sweep: &Sweep) -> Option<String> {
    let echo = sweep.raw_echo.as_ref()?;
    let (report, share) = echo.best(sweep.reports())?;
    Some(format!(
        "raw echo {:.2} CPU-µs: at best {} of its messages per CPU-second, at {} × {}",
        echo.server_cpu_us,
        percent(share),
        report.setup.connections,
        report.setup.streams
    ))
}

/// Returns the rate that was found, and its confirmation.
pub(super) fn search(search: &Search, page: Page) -> String {
    let (name, limit) = (&search.percentile, search.limit_us);
    let mut lines = vec![match search.rate {
        Some(rate) => format!("{rate:.0} calls/s hold {name} within {limit:.0} µs"),
        None => format!("no rate was confirmed to hold {name} within {limit:.0} µs"),
    }];
    if search.generator_limited {
        lines.push("the generator reached its limit first: the target may sustain more".to_owned());
    }
    lines.push(format!("         {} probes", search.probes.len()));
    if let Some(report) = &search.confirmation {
        let seconds = report.setup.duration_s;
        lines.push(format!(
            "confirmed for {seconds:.0} s: {:.1} ok/s, CPU {} µs per call",
            report.counts.rps,
            told(report.cost.target_cpu_us_per_rpc, 2)
        ));
        lines.push(percentile_head());
        lines.push(percentiles("latency", &report.latency_us));
    }
    page.text(lines, &search.warnings)
}

/// Returns both limits: null responder and raw echo.
pub(super) fn calibration(calibration: &Calibration, page: Page) -> String {
    let (null, echo) = (&calibration.null, &calibration.echo);
    let setup = &null.setup;
    let lines = vec![
        format!(
            "the generator alone, {}, {}, {}",
            setup.shape(),
            setup.engine,
            several(setup.cores, "core")
        ),
        format!(
            "{:<16}{:>12}{:>18}{:>16}",
            "", "per second", "generator µs", "server µs"
        ),
        format!(
            "{:<16}{:>12.0}{:>18}{:>16}",
            "null responder",
            null.counts.rps,
            told(null.cost.generator_cpu_us_per_rpc, 3),
            told(null.cost.target_cpu_us_per_rpc, 3)
        ),
        format!(
            "{:<16}{:>12.0}{:>18.3}{:>16.3}",
            "raw echo", echo.rps, echo.generator_cpu_us, echo.server_cpu_us
        ),
    ];
    page.text(lines, &calibration.warnings)
}
