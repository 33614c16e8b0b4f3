//! What was found, for people: at most fifteen lines of eighty columns.

mod collection;
mod compare;
mod run;
mod series;

use crate::report::{Body, Document};

pub use run::summary;

/// Lines in all.
const LINES_MAX: usize = 15;

/// Columns of a line.
const COLUMNS_MAX: usize = 80;

/// The summary of any finding, without colours.
pub fn summarize(document: &Document) -> String {
    match &document.body {
        Body::Run(report) => summary(report),
        Body::Compare(comparison) => compare::summary(comparison),
        Body::Sweep(sweep) => series::sweep(sweep),
        Body::Search(search) => series::search(search),
        Body::Calibrate(calibration) => series::calibration(calibration),
        Body::Collection(collection) => collection::summary(collection),
    }
}

/// Adds the warnings to what is already said, and keeps the whole within its bounds.
fn bounded(mut lines: Vec<String>, warnings: &[String]) -> String {
    let room = LINES_MAX.saturating_sub(lines.len()).max(1);
    let shown = match warnings.len() {
        all if all <= room => all,
        _ => room - 1,
    };
    lines.extend(
        warnings[..shown]
            .iter()
            .map(|text| format!("warning: {text}")),
    );
    if shown < warnings.len() {
        let more = warnings.len() - shown;
        lines.push(format!("warning: and {more} more, in the JSON"));
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(&cut(&line, COLUMNS_MAX));
        text.push('\n');
    }
    text
}

/// The line, or what fits of it.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let mut text: String = line.chars().take(columns - 1).collect();
    text.push('…');
    text
}

/// A value in a column, or `n/a`.
fn told(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_summary_is_short_whatever_happened() {
        for flags in ["", "--rate 5"] {
            let mut report = report(flags, 30);
            assert!(summary(&report).contains("n/a"));
            report.counts.failed = [("INTERNAL", 3), ("NOT_FOUND", 4)]
                .map(|(name, calls)| (name.to_owned(), calls))
                .into();
            report.warnings.clear();
            assert!(summary(&report).contains("failed 7 (INTERNAL 3, NOT_FOUND 4)"));
            report.warnings = (0..20).map(|number| format!("number {number}")).collect();
            report.setup.target = "x".repeat(200);
            let text = summary(&report);
            assert_eq!(text.lines().count(), 15, "{text}");
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
            assert!(text.ends_with(" more, in the JSON\n"), "{text}");
        }
    }
}
