//! HTML page that works without a network: the verdict first, the evidence below.
//!
//! The file contains everything: style, charts as inline SVG, a small script for tooltips, and the
//! data of the report. The page can therefore be read as a report file.

mod collection;
mod environment;
mod key;
mod tables;
mod verdict;

use crate::chart::{Chart, INK, PALETTE, charts, escape};
use crate::report::{Body, Document, EMBEDDED};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Returns the page.
///
/// # Errors
/// A histogram cannot be decoded.
pub(crate) fn page(document: &Document) -> Result<String, String> {
    let words = verdict::words(document);
    let body = match &document.body {
        Body::Collection(collection) => collection::body(collection)?,
        _ => warnings(words.warnings) + &content(document)?,
    };
    let body = [header(&words), body, footer(document)];
    let title = escape(&words.verdict);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>{PALETTE}{INK}{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n\
         <div id=\"tip\" role=\"status\"></div>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        body.concat()
    ))
}

/// Returns the figures, charts and tables of one result.
fn content(document: &Document) -> Result<String, String> {
    let charts = charts(document)?;
    let (first, rest) = charts.split_first().ok_or("there is nothing to show")?;
    let parts = [
        key::figures(document),
        figure(first),
        tables::first(document),
        rest.iter().map(figure).collect(),
        tables::rest(document),
    ];
    Ok(parts.concat())
}

fn header(words: &verdict::Words<'_>) -> String {
    format!(
        "<header>\n<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n</header>\n",
        escape(&words.kicker),
        escape(&words.verdict),
        escape(&words.lead)
    )
}

/// Returns the warnings, which are never folded.
fn warnings(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let item = |text: &String| match text.split_once(": ") {
        Some((kind, rest)) => format!(
            "<li><strong>{}</strong> {}</li>",
            escape(&capitalised(kind)),
            escape(rest)
        ),
        None => format!("<li>{}</li>", escape(text)),
    };
    let items: String = warnings.iter().map(item).collect();
    format!(
        "<section class=\"warnings\"><h2>Before you believe it</h2><ul>{items}</ul></section>\n"
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn figure(chart: &Chart) -> String {
    format!(
        "<figure><h2>{}</h2><div class=\"scroll\">{}</div><figcaption>{}</figcaption></figure>\n",
        escape(&chart.title),
        chart.svg,
        escape(&chart.caption)
    )
}

/// Returns the data as JSON. `<` is escaped, because it could end the script element.
fn footer(document: &Document) -> String {
    let data = document.to_json().replace('<', "\\u003c");
    format!(
        "<footer><p>Measured by {} from the moment each call was meant to start. The data is in \
         this page: <a id=\"save\" download=\"report.json\" href=\"#\">save it as JSON</a>, and \
         <code>corespun-load report</code> shows it again.</p></footer>\n\
         {EMBEDDED}{data}</script>\n",
        concat!("corespun-load ", env!("CARGO_PKG_VERSION")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn page_of(flags: &str, calls: u64) -> String {
        let report = report(flags, calls);
        page(&Document::from(Body::Run(Box::new(report)))).unwrap()
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let html = page_of("--rate 9", 2000);
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            // The name space of SVG is a name, not an address.
            let html = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("<h1>") && html.contains("Before you believe it"));
        assert_eq!(html.matches("<figure>").count(), 1);
    }

    #[test]
    fn wide_tables_become_lists_and_failures_have_their_texts() {
        let mut report = report("", 50);
        report.failures = vec![crate::report::FailureRow {
            status: "NOT_FOUND".to_owned(),
            text: "no <such> tenant".to_owned(),
            calls: 7,
        }];
        let html = page(&Document::from(Body::Run(Box::new(report)))).unwrap();
        let cell = "<td class=\"text\" data-name=\"text\">no &lt;such&gt; tenant</td>";
        assert!(
            html.contains("Why calls failed") && html.contains(cell),
            "{html}"
        );
        assert!(html.contains("<table class=\"wide\"") && html.contains("data-name=\"p99\""));
    }

    #[test]
    fn the_data_in_the_page_is_the_report() {
        let html = page_of("", 50);
        let path = std::env::temp_dir().join(format!("load-page-{}", std::process::id()));
        std::fs::write(&path, html).unwrap();
        let data = Document::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let Body::Run(report) = data.body else {
            unreachable!("it was a run");
        };
        assert_eq!(report.counts.ok, 50);
    }

    #[test]
    fn a_hostile_name_stays_a_name() {
        let mut report = report("", 50);
        report.setup.target = "</script><script>alert(1)</script>".to_owned();
        report.warnings = vec!["<img src=x onerror=alert(1)>: no".to_owned()];
        let html = page(&Document::from(Body::Run(Box::new(report)))).unwrap();
        assert!(
            !html.contains("<script>alert") && !html.contains("<img"),
            "{html}"
        );
    }
}
