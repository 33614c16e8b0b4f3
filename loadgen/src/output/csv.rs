//! CSV tables for spreadsheets and data frames: one line for each second, point, probe, turn, or
//! run.
//!
//! An unknown value is an empty field. Fields are numbers and names of this program, so none
//! contains a comma; other texts are quoted.

use crate::command::Finding;
use crate::report::{Body, Document, Percentiles, Report};

const PERCENTILES: &str = "mean_us,p50_us,p90_us,p99_us,p999_us,max_us";

/// Returns the table of a document.
pub(crate) fn table(document: &Document) -> String {
    match &document.body {
        Body::Run(report) => seconds(report),
        Body::Sweep(sweep) => {
            let rows = sweep.points.iter().map(|point| point_row(&point.report));
            lines(
                &format!("connections,streams,offered_rps,rps,failed,{PERCENTILES},cpu_us"),
                rows,
            )
        }
        Body::Search(search) => {
            let rows = search.probes.iter().map(|probe| {
                let failure = quoted(probe.failure.as_deref().unwrap_or_default());
                let latency = percentiles(&probe.latency_us);
                let cpu = field(probe.target_cpu_us_per_rpc);
                format!("{},{},{latency},{cpu},{failure}", probe.rate, probe.rps)
            });
            lines(
                &format!("offered_rps,rps,{PERCENTILES},cpu_us,failure"),
                rows,
            )
        }
        Body::Compare(comparison) => {
            let rows = comparison.slices.iter().map(|slice| {
                let name = match slice.side {
                    crate::command::Side::A => "a",
                    crate::command::Side::B => "b",
                };
                let (pair, noise, rps) = (slice.pair, slice.noise, slice.rps);
                let latency = percentiles(&slice.latency_us);
                let cpu = field(slice.cpu_us);
                let rejected = quoted(slice.rejected.as_deref().unwrap_or_default());
                format!("{pair},{noise},{name},{rps},{latency},{cpu},{rejected}")
            });
            lines(
                &format!("pair,noise,side,rps,{PERCENTILES},cpu_us,rejected"),
                rows,
            )
        }
        Body::Calibrate(calibration) => seconds(&calibration.null),
        Body::Collection(collection) => {
            let findings = collection.findings.iter();
            let rows = findings.flat_map(|Finding { name, finding }| {
                let sides = match &finding.body {
                    Body::Compare(comparison) => &comparison.names[..],
                    _ => &[],
                };
                let row = move |(index, report)| {
                    let side = sides.get(index).map(|side| format!(": {side}"));
                    measured_row(&format!("{name}{}", side.unwrap_or_default()), report)
                };
                finding.reports().into_iter().enumerate().map(row)
            });
            let head = "name,target,connections,streams,offered_rps,rps,failed,censored";
            lines(&format!("{head},{PERCENTILES},cpu_us,warnings"), rows)
        }
    }
}

/// Returns a row for a result with a latency: a run, a point, the confirming run of a search, or a
/// side of a comparison.
fn measured_row(name: &str, report: &Report) -> String {
    format!(
        "{},{},{},{},{},{},{},{},{},{},{}",
        quoted(name),
        quoted(&report.setup.target),
        report.setup.connections,
        report.setup.streams,
        field(report.counts.offered_rps),
        report.counts.rps,
        report.failed(),
        report.counts.censored,
        percentiles(&report.latency_us),
        field(report.cost.target_cpu_us_per_rpc),
        report.warnings.len()
    )
}

fn seconds(report: &Report) -> String {
    let rows = report.seconds.iter().map(|second| {
        let latency = percentiles(&second.latency_us);
        let lag = field(second.lag_p99_us);
        format!(
            "{},{},{},{},{latency},{lag},{}",
            second.at_s, second.length_s, second.calls, second.failed, second.stall_us
        )
    });
    lines(
        &format!("at_s,length_s,calls,failed,{PERCENTILES},lag_p99_us,stall_us"),
        rows,
    )
}

fn point_row(report: &Report) -> String {
    format!(
        "{},{},{},{},{},{},{}",
        report.setup.connections,
        report.setup.streams,
        field(report.counts.offered_rps),
        report.counts.rps,
        report.failed(),
        percentiles(&report.latency_us),
        field(report.cost.target_cpu_us_per_rpc)
    )
}

fn percentiles(values: &Percentiles) -> String {
    values.with_mean().map(field).join(",")
}

fn field(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn quoted(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

fn lines(head: &str, rows: impl Iterator<Item = String>) -> String {
    let mut text = format!("{head}\n");
    rows.for_each(|row| text += &(row + "\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn each_line_has_as_many_fields_as_the_head() {
        let text = table(&Document::from(Body::Run(Box::new(report("--rate 9", 50)))));
        let fields = |line: &str| line.matches(',').count();
        let mut rows = text.lines();
        let head = rows.next().unwrap();
        assert!(head.starts_with("at_s,"));
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 1);
        assert!(rows.iter().all(|row| fields(row) == fields(head)), "{text}");
        assert!(rows[0].starts_with("0,1,52,1,"), "{text}");
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
