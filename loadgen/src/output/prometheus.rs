//! Metrics in the text format of Prometheus, for a push gateway or a text-file collector.

use hdrhistogram::Histogram;

use crate::command::Finding;
use crate::report::{Body, Document, FailureRow, OutcomeRow, Report};

/// Upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];

/// Run with the labels of its metrics.
struct Labelled<'a> {
    report: &'a Report,
    labels: String,
}

/// Returns the metrics of every run in the document: a run itself, the confirming run of a search,
/// each point of a sweep, each side of a comparison, and each result of a collection. Labels
/// distinguish several runs.
///
/// # Errors
/// The document has no run, or a histogram cannot be decoded.
pub(crate) fn text(document: &Document) -> Result<String, String> {
    let mut runs = Vec::new();
    collect(document, "", &mut runs);
    if runs.is_empty() {
        return Err("no rate held".to_owned());
    }
    let mut out = String::new();
    histograms(&runs, &mut out)?;
    calls(&runs, &mut out);
    failures(&runs, &mut out);
    for (name, help, value) in GAUGES {
        let name = format!("corespun_load_{name}");
        let samples = runs.iter().filter_map(|run| {
            let value = value(run.report)?;
            Some(format!("{name}{{{}}} {value}\n", run.labels))
        });
        metric(&name, help, "gauge", samples, &mut out);
    }
    Ok(out)
}

type Gauge = fn(&Report) -> Option<f64>;

/// Metrics with one value per run: name, help text and value.
const GAUGES: [(&str, &str, Gauge); 5] = [
    ("rate", "Good calls per second", |report| {
        Some(report.counts.rps)
    }),
    (
        "offered_rate",
        "Calls per second that were asked for",
        |report| report.counts.offered_rps,
    ),
    (
        "target_cpu_seconds_per_call",
        "CPU time of the target for each call",
        |report| report.cost.target_cpu_us_per_rpc.map(|us| us / 1e6),
    ),
    (
        "generator_cpu_ratio",
        "CPU time of the generator as a share of its cores",
        |report| Some(report.cost.generator_cpu_share),
    ),
    ("steal_ratio", "Time given to other guests", |report| {
        report.cost.steal_share
    }),
];

/// Collects the runs, each with the labels `more` and labels of its own.
fn collect<'a>(document: &'a Document, more: &str, runs: &mut Vec<Labelled<'a>>) {
    let mut add = |report: &'a Report, own: String| {
        let (target, method) = (&report.setup.target, &report.setup.method);
        let shared = format!("{},{}", label("target", target), label("method", method));
        let labels = format!("{shared}{more}{own}");
        runs.push(Labelled { report, labels });
    };
    match &document.body {
        Body::Run(report) => add(report, String::new()),
        Body::Calibrate(calibration) => add(&calibration.null, String::new()),
        Body::Search(search) => {
            if let Some(report) = &search.confirmation {
                add(report, String::new());
            }
        }
        Body::Sweep(sweep) => {
            for report in sweep.reports() {
                let setup = &report.setup;
                let rate = report.counts.offered_rps;
                let rate = rate.map_or_else(String::new, |rate| rate.to_string());
                let connections = label("connections", &setup.connections.to_string());
                let streams = label("streams", &setup.streams.to_string());
                let offered = label("offered", &rate);
                add(report, format!(",{connections},{streams},{offered}"));
            }
        }
        Body::Compare(comparison) => {
            for (side, report) in [("a", &comparison.a), ("b", &comparison.b)] {
                if let Some(report) = report {
                    add(report, format!(",{}", label("side", side)));
                }
            }
        }
        Body::Collection(collection) => {
            for Finding { name, finding } in &collection.findings {
                collect(finding, &format!("{more},{}", label("name", name)), runs);
            }
        }
    }
}

fn label(name: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// Writes one metric with all its samples, which the format requires together; nothing without
/// samples.
fn metric(
    name: &str,
    help: &str,
    kind: &str,
    samples: impl Iterator<Item = String>,
    out: &mut String,
) {
    let mut samples = samples.peekable();
    if samples.peek().is_some() {
        *out += &format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n");
        out.extend(samples);
    }
}

/// Writes the latencies from the intended start. The sum is the exact sum of the latencies.
fn histograms(runs: &[Labelled<'_>], out: &mut String) -> Result<(), String> {
    let name = "corespun_load_latency_seconds";
    let mut samples = Vec::new();
    for Labelled { report, labels } in runs {
        let values: Histogram<u64> = report.histograms.response.unpack()?;
        for bound in BOUNDS {
            let below = values.count_between(0, (bound * 1e9) as u64);
            samples.push(format!(
                "{name}_bucket{{{labels},le=\"{bound}\"}} {below}\n"
            ));
        }
        let (count, sum) = (values.len(), values.mean() * values.len() as f64 / 1e9);
        samples.push(format!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n"));
        samples.push(format!(
            "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}\n"
        ));
    }
    let help = "Latency from the intended start of each call";
    metric(name, help, "histogram", samples.into_iter(), out);
    Ok(())
}

fn calls(runs: &[Labelled<'_>], out: &mut String) {
    let name = "corespun_load_calls_total";
    let samples = runs.iter().flat_map(|Labelled { report, labels }| {
        let sample = move |row: &OutcomeRow| {
            format!("{name}{{{labels},code=\"{}\"}} {}\n", row.name, row.calls)
        };
        report.outcomes.iter().map(sample)
    });
    let help = "Calls of the measured window by how they ended";
    metric(name, help, "counter", samples, out);
}

fn failures(runs: &[Labelled<'_>], out: &mut String) {
    let name = "corespun_load_failures_total";
    let samples = runs.iter().flat_map(|Labelled { report, labels }| {
        let sample = move |row: &FailureRow| {
            let own = (label("code", &row.status), label("message", &row.text));
            format!("{name}{{{labels},{},{}}} {}\n", own.0, own.1, row.calls)
        };
        report.failures.iter().map(sample)
    });
    let help = "Calls of the measured window that failed, by status and text";
    metric(name, help, "counter", samples, out);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::command::Collection;
    use crate::report::tests::report;

    #[test]
    fn buckets_add_up() {
        let mut report = report("--rate 9", 100);
        report.setup.target = "a\"b".to_owned();
        let text = text(&Document::from(Body::Run(Box::new(report)))).unwrap();
        let value = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start)).unwrap();
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        let labels = "{target=\"a\\\"b\",method=\"user.UserService/GetUser\"";
        let bucket = |le: &str| {
            value(&format!(
                "corespun_load_latency_seconds_bucket{labels},le=\"{le}\""
            ))
        };
        assert_eq!(
            [bucket("0.00005"), bucket("0.00025"), bucket("+Inf")],
            ["1", "101", "102"]
        );
        let sum: f64 = value("corespun_load_latency_seconds_sum").parse().unwrap();
        assert!(
            (sum - (100.0 * 100e-6 + 10e-6 + 4990e-6)).abs() < 1e-4,
            "{sum}"
        );
        assert_eq!(
            value(&format!("corespun_load_calls_total{labels},code=\"OK\"")),
            "100"
        );
        assert!(
            text.lines()
                .all(|line| line.starts_with('#') || line.starts_with("corespun_load_"))
        );
    }

    #[test]
    fn several_runs_are_told_apart_and_each_metric_is_described_once() {
        let finding = |name: &str, flags: &str| Finding {
            name: name.to_owned(),
            finding: Document::from(Body::Run(Box::new(report(flags, 10)))),
        };
        let findings = vec![finding("old", "--rate 9"), finding("new", "--rate 9")];
        let collection = Collection::of(findings, None);
        let text = text(&Document::from(Body::Collection(Box::new(collection)))).unwrap();
        let (comments, samples): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.starts_with('#'));
        let distinct = |lines: &[&str]| lines.iter().collect::<HashSet<_>>().len();
        assert_eq!(distinct(&comments), comments.len());
        let keys: Vec<_> = samples
            .iter()
            .map(|line| line.rsplit_once(' ').unwrap().0)
            .collect();
        assert_eq!(distinct(&keys), keys.len());
        for name in ["old", "new"] {
            let label = format!("name=\"{name}\"");
            let named = samples.iter().filter(|line| line.contains(&label)).count();
            assert_eq!(2 * named, samples.len());
        }
    }
}
