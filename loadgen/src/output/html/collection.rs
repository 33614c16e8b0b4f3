//! Page of several results: the runs together, then each other result.

use super::tables::{OF_ECHO, PERCENTILES, Row, share_of, table};
use super::verdict::{self, moment};
use super::{content, figure, warnings};
use crate::chart::{beside, escape};
use crate::command::{Collection, Finding, RawEcho};
use crate::report::{Document, Report};
use crate::units::{count, percent, time, time_or_none};

/// Returns the content between head and foot of the page.
///
/// # Errors
/// A histogram cannot be decoded.
pub(super) fn body(collection: &Collection) -> Result<String, String> {
    let mut body = warnings(&collection.warnings);
    if let Some(chart) = beside(collection)? {
        let runs: Vec<_> = collection.runs().collect();
        body += &figure(&chart);
        body += &runs_table(&runs, collection.raw_echo.as_ref());
        body += &setups_table(&runs);
        body += &alone(collection)?;
    }
    for found in collection.others() {
        body += &part(found)?;
    }
    Ok(body)
}

/// Returns a table with a row for each run.
fn runs_table(runs: &[(&str, &Report)], echo: Option<&RawEcho>) -> String {
    let row = |(name, report): &(&str, &Report)| {
        let bad = report.failed() + report.counts.censored;
        let mut row = vec![(*name).to_owned(), count(report.counts.rps.round())];
        row.extend(report.latency_us.values().map(time_or_none));
        let cpu_us = report.cost.target_cpu_us_per_rpc;
        row.push(cpu_us.map_or("n/a".to_owned(), time));
        row.extend(echo.map(|echo| share_of(echo, report)));
        row.push(count(bad as f64));
        row.push(report.warnings.len().to_string());
        row
    };
    let rows: Vec<Row> = runs.iter().map(row).collect();
    let mut head = vec!["run", "ok/s"];
    head.extend(&PERCENTILES[1..]);
    head.push("CPU per call");
    head.extend(echo.map(|_| OF_ECHO));
    head.extend(["failed", "warnings"]);
    table("All runs", &head, &rows)
}

/// Returns a table with the parameters of each run.
fn setups_table(runs: &[(&str, &Report)]) -> String {
    let row = |(name, report): &(&str, &Report)| {
        let setup = &report.setup;
        let offered = report.counts.offered_rps;
        vec![
            (*name).to_owned(),
            setup.target.clone(),
            format!("{} × {}", setup.connections, setup.streams),
            offered.map_or("closed".to_owned(), |rate| count(rate.round())),
            format!("{:.0} s", setup.duration_s),
            percent(report.cost.generator_cpu_share),
            moment(setup.finished_unix_s),
        ]
    };
    let rows: Vec<Row> = runs.iter().map(row).collect();
    let head = [
        "run",
        "target",
        "connections × streams",
        "offered/s",
        "window",
        "generator busy",
        "ended",
    ];
    table("What was run", &head, &rows)
}

/// Returns a folded section for each run with its details.
fn alone(collection: &Collection) -> Result<String, String> {
    let mut text = String::new();
    let is_run = |found: &&Finding| collection.runs().any(|(name, _)| name == found.name);
    for found in collection.findings.iter().filter(is_run) {
        text += &format!(
            "<details><summary>{}</summary>\n{}</details>\n",
            escape(&found.name),
            content(&found.finding)?
        );
    }
    Ok(format!(
        "<section class=\"alone\"><h2>Details of each run</h2>\n{text}</section>\n"
    ))
}

/// Returns a result under its own heading.
fn part(Finding { name, finding }: &Finding) -> Result<String, String> {
    let words = verdict::words(finding);
    Ok(format!(
        "<div class=\"part\">\n<p class=\"kicker\">{} · {}</p>\n<p class=\"finding\">{}</p>\n\
         <p class=\"lead\">{}</p>\n</div>\n{}{}",
        escape(name),
        escape(&words.kicker),
        escape(&words.verdict),
        escape(&words.lead),
        warnings(words.warnings),
        content(finding)?
    ))
}

/// Returns the end time of the last result, in seconds since 1970.
pub(super) fn finished_unix_s(collection: &Collection) -> Option<f64> {
    let findings = collection.findings.iter();
    let moments = findings.filter_map(|found| finished(&found.finding));
    moments.reduce(f64::max)
}

fn finished(document: &Document) -> Option<f64> {
    let reports = document.reports();
    let moments = reports.iter().map(|report| report.setup.finished_unix_s);
    moments.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;
    use crate::command::Sweep;
    use crate::report::Body;
    use crate::report::tests::report;

    fn document() -> Document {
        let run = |name: &str, flags| Finding {
            name: name.to_owned(),
            finding: Document::from(Body::Run(Box::new(report(flags, 2000)))),
        };
        let sweep = Sweep::of(vec![crate::command::Point::of(report("", 500))], None);
        let grid = Finding {
            name: "<grid>".to_owned(),
            finding: Document::from(Body::Sweep(Box::new(sweep))),
        };
        let echo = RawEcho {
            server_cpu_us: 1.0,
            rps: 1e5,
            connections: 3,
            streams: 7,
            engine: "uring".to_owned(),
            cpu: String::new(),
        };
        let findings = vec![run("one", "--rate 9"), grid, run("two", "--rate 9")];
        let collection = Collection::of(findings, Some(echo));
        Document::from(Body::Collection(Box::new(collection)))
    }

    #[test]
    fn runs_stand_beside_each_other_and_the_rest_below() {
        let html = page(&document()).unwrap();
        let place = |text: &str| {
            html.find(text)
                .unwrap_or_else(|| panic!("{text} is missing"))
        };
        assert!(place("2 runs and 1 sweep") < place("All runs"));
        assert!(place("Details of each run") < place("&lt;grid&gt; · Sweep"));
        assert!(place("&lt;grid&gt; · Sweep") < place("Every point"));
        assert_eq!(html.matches("<details>").count(), 2);
        assert_eq!(html.matches("id=\"data\"").count(), 1);
        assert!(html.contains("of a raw echo") && html.contains("3 connections × 7 messages"));
        assert!(!html.contains("<grid>") && !html.contains("NaN"));
        let spectrum = &html[place("<svg")..place("</svg>")];
        assert!(
            spectrum.contains(">one<") && spectrum.contains(">two<"),
            "{spectrum}"
        );
    }
}
