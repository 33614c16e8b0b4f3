//! Text summaries of results.
//!
//! On a terminal, lines are wrapped at its width and long tables are shortened. In a pipe or a file
//! every row and every warning is printed, each on one line.

mod collection;
mod compare;
mod run;
mod series;

use crate::report::{Body, Document, Report};

/// Layout of the output: its width, and the number of table rows.
#[derive(Clone, Copy, Debug)]
struct Page {
    /// Columns of the terminal; `None` without a terminal.
    columns: Option<usize>,
}

/// Returns the summary of a run, without colours, for a pipe or a file.
pub fn summary(report: &Report) -> String {
    run::summary(report, Page { columns: None })
}

/// Returns the summary of any result, without colours. `columns` is the width of the terminal;
/// `None` for a pipe or a file.
pub fn summarize(document: &Document, columns: Option<usize>) -> String {
    let page = Page { columns };
    match &document.body {
        Body::Run(report) => run::summary(report, page),
        Body::Compare(comparison) => compare::summary(comparison, page),
        Body::Sweep(sweep) => series::sweep(sweep, page),
        Body::Search(search) => series::search(search, page),
        Body::Calibrate(calibration) => series::calibration(calibration, page),
        Body::Collection(collection) => collection::summary(collection, page),
    }
}

impl Page {
    /// Returns the number of table rows to show; `on_terminal` is the limit on a terminal.
    fn rows(self, on_terminal: usize) -> usize {
        self.columns.map_or(usize::MAX, |_| on_terminal)
    }

    /// Returns a name for a table, shortened to `on_terminal` columns on a terminal.
    fn name(self, name: &str, on_terminal: usize) -> String {
        match self.columns {
            Some(_) => cut(name, on_terminal),
            None => name.to_owned(),
        }
    }

    /// Joins the lines and the warnings below them.
    fn text(self, mut lines: Vec<String>, warnings: &[String]) -> String {
        lines.extend(warnings.iter().map(|text| format!("warning: {text}")));
        let mut text = String::new();
        for line in lines {
            for part in self.broken(&line) {
                text.push_str(part.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// Wraps a line to the terminal's width between words; continuation lines are indented to the
    /// first line's text.
    fn broken(self, line: &str) -> Vec<String> {
        const INDENT: &str = "         ";
        let columns = self.columns.unwrap_or(usize::MAX).max(2 * INDENT.len());
        if line.chars().count() <= columns {
            return vec![line.to_owned()];
        }
        let mut parts: Vec<String> = vec![String::new()];
        for word in line.split_inclusive(' ') {
            let last = parts.last_mut().filter(|last| {
                last.trim().is_empty()
                    || last.chars().count() + word.trim_end().chars().count() <= columns
            });
            match last {
                Some(last) => last.push_str(word),
                None => parts.push(format!("{INDENT}{word}")),
            }
        }
        parts
    }
}

/// Returns the text, shortened to the width.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(columns - 1).collect();
    start.push('…');
    start
}

/// Formats a value in a column, or `n/a`.
fn told(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn nothing_is_lost_at_any_width() {
        for flags in ["", "--rate 5"] {
            let mut report = report(flags, 30);
            report.warnings = (0..20)
                .map(|number| format!("number {number}: {}end", "word ".repeat(30)))
                .collect();
            report.setup.target = "x".repeat(200);
            let whole = summary(&report);
            let lines = whole
                .lines()
                .filter(|line| line.starts_with("warning: number"));
            assert_eq!(lines.filter(|line| line.ends_with(" word end")).count(), 20);
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            for columns in [40, 80, 100, 200] {
                let page = Page {
                    columns: Some(columns),
                };
                let text = run::summary(&report, page);
                assert_eq!(words(&text), words(&whole), "{columns}");
                let long = |line: &&str| line.chars().count() > columns && !line.contains("xxx");
                assert_eq!(text.lines().find(long), None, "{columns}");
            }
        }
    }

    #[test]
    fn the_summary_has_the_mean_and_the_failures() {
        let text = summary(&report("--rate 5", 30));
        let head = ["µs", "mean", "p50", "p90", "p99", "p99.9", "max"];
        let found = text.lines().find(|line| line.starts_with("µs")).unwrap();
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), head);
        assert!(text.contains("n/a") && text.lines().count() < 20, "{text}");
        let failed = crate::report::FailureRow {
            status: "NOT_FOUND".to_owned(),
            text: "no such tenant".to_owned(),
            calls: 4,
        };
        let mut report = report("--rate 5", 30);
        report.counts.failed = [("INTERNAL".to_owned(), 3), ("NOT_FOUND".to_owned(), 4)].into();
        report.failures = vec![failed; 8];
        let text = summary(&report);
        assert!(
            text.contains("failed 7 (INTERNAL 3, NOT_FOUND 4)"),
            "{text}"
        );
        let line = "failure  4 × NOT_FOUND: no such tenant\n";
        assert_eq!(text.matches(line).count(), 8, "{text}");
        let page = Page { columns: Some(80) };
        let text = run::summary(&report, page);
        assert_eq!(text.matches(line).count(), 5, "{text}");
        assert!(text.contains("and 3 more texts"), "{text}");
    }
}
