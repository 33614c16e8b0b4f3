//! Metrics in the text format of Prometheus, for a push gateway or a text-file collector.

use hdrhistogram::Histogram;

use crate::report::{Body, Document, Report};

/// Upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];

/// The metrics of a run, or of the one that confirmed a search.
///
/// # Errors
/// When the document has no such run, or its histogram is unreadable.
pub(crate) fn text(document: &Document) -> Result<String, String> {
    let report = match &document.body {
        Body::Run(report) => report,
        Body::Search(search) => search.confirmation.as_ref().ok_or("no rate held")?,
        _ => return Err("only a run has metrics of its own".to_owned()),
    };
    let mut out = String::new();
    histogram(report, &report.histograms.response.unpack()?, &mut out);
    calls(report, &mut out);
    let gauges = [
        ("rate", "Good calls per second", Some(report.counts.rps)),
        (
            "offered_rate",
            "Calls per second that were asked for",
            report.counts.offered_rps,
        ),
        (
            "target_cpu_seconds_per_call",
            "CPU time of the target for each call",
            report.cost.target_cpu_us_per_rpc.map(|us| us / 1e6),
        ),
        (
            "generator_cpu_ratio",
            "CPU time of the generator as a share of its cores",
            Some(report.cost.generator_cpu_share),
        ),
        (
            "steal_ratio",
            "Time given to other guests",
            report.cost.steal_share,
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            let name = format!("corespun_load_{name}");
            out += &format!("# HELP {name} {help}.\n# TYPE {name} gauge\n");
            out += &format!("{name}{{{}}} {value}\n", labels(report));
        }
    }
    Ok(out)
}

fn labels(report: &Report) -> String {
    let escape = |text: &str| {
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    format!(
        "target=\"{}\",method=\"{}\"",
        escape(&report.setup.target),
        escape(&report.setup.method)
    )
}

/// Latencies from the intended start. The sum is that of the latencies themselves.
fn histogram(report: &Report, values: &Histogram<u64>, out: &mut String) {
    let name = "corespun_load_latency_seconds";
    *out += &format!("# HELP {name} Latency from the intended start of each call.\n");
    *out += &format!("# TYPE {name} histogram\n");
    let labels = labels(report);
    for bound in BOUNDS {
        let below = values.count_between(0, (bound * 1e9) as u64);
        *out += &format!("{name}_bucket{{{labels},le=\"{bound}\"}} {below}\n");
    }
    let (count, sum) = (values.len(), values.mean() * values.len() as f64 / 1e9);
    *out += &format!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n");
    *out += &format!("{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}\n");
}

fn calls(report: &Report, out: &mut String) {
    let name = "corespun_load_calls_total";
    *out += &format!("# HELP {name} Calls of the measured window by how they ended.\n");
    *out += &format!("# TYPE {name} counter\n");
    let labels = labels(report);
    for row in &report.outcomes {
        *out += &format!("{name}{{{labels},code=\"{}\"}} {}\n", row.name, row.calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
