//! Table in `docs/fuzzing.md`: totals of all searches so far.

use std::path::Path;

use crate::failure::{Attempt, Failure};
use crate::workspace;

const PAPER: &str = "docs/fuzzing.md";
const HEAD: &str =
    "| target | executions | CPU minutes | edges reached | inputs kept | faults kept |";

/// Results that one search adds, and the state after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number of inputs run.
    pub executions: u64,
    /// CPU time of the search in minutes.
    pub cpu_minutes: f64,
    /// Number of edges reached; zero if nothing was run.
    pub edges: u64,
    /// Number of inputs in the corpus.
    pub inputs: usize,
    /// Number of inputs in the corpus that once found a fault.
    pub faults: usize,
}

/// Adds a search of `target` to the table.
pub fn update(root: &Path, target: &str, row: &Row) -> Result<(), Failure> {
    let text = workspace::read(root, PAPER)?;
    let text = updated(&text, target, row)
        .ok_or_else(|| Failure::new(format!("update {PAPER}"), "its table is missing"))?;
    std::fs::write(root.join(PAPER), text).attempt(|| format!("write {PAPER}"))
}

fn updated(text: &str, target: &str, row: &Row) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let first = lines.iter().position(|line| line == HEAD)? + 2;
    let rows = lines
        .iter()
        .skip(first)
        .take_while(|line| line.starts_with('|'));
    let end = first + rows.count();
    let start = format!("| {target} |");
    let place = (first..end).find(|at| lines[*at].starts_with(&start));
    let line = shown(target, row, place.map_or("", |at| lines[at].as_str()));
    match place {
        Some(at) => lines[at] = line,
        None => lines.insert(end, line),
    }
    Some(lines.join("\n") + "\n")
}

/// Formats a row, added to the totals in the line `before`.
fn shown(target: &str, row: &Row, before: &str) -> String {
    let cells: Vec<&str> = before.split('|').map(str::trim).collect();
    let cell = |at: usize| {
        cells
            .get(at)
            .map_or(String::new(), |cell| cell.replace(',', ""))
    };
    let executions = cell(2).parse::<u64>().unwrap_or(0) + row.executions;
    let cpu_minutes = cell(3).parse::<f64>().unwrap_or(0.0) + row.cpu_minutes;
    let edges = match row.edges {
        0 => cell(4).parse().unwrap_or(0),
        edges => edges,
    };
    let (executions, inputs, faults) = (grouped(executions), row.inputs, row.faults);
    format!("| {target} | {executions} | {cpu_minutes:.1} | {edges} | {inputs} | {faults} |")
}

/// Formats a number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_add_up() {
        let row = Row {
            executions: 1_500,
            cpu_minutes: 0.5,
            edges: 9,
            inputs: 4,
            faults: 1,
        };
        let paper = format!("# Fuzzing\n\n{HEAD}\n|---|\n\nend\n");
        let once = updated(&paper, "texts", &row).unwrap();
        assert!(
            once.contains("\n| texts | 1,500 | 0.5 | 9 | 4 | 1 |\n\nend\n"),
            "{once}"
        );
        let twice = updated(&once, "texts", &Row { edges: 0, ..row }).unwrap();
        assert!(
            twice.contains("\n| texts | 3,000 | 1.0 | 9 | 4 | 1 |\n\nend\n"),
            "{twice}"
        );
        let other = updated(&twice, "deframer", &row).unwrap();
        assert_eq!(other.lines().count(), twice.lines().count() + 1);
        assert_eq!(updated("no table", "texts", &row), None);
    }

    #[test]
    fn thousands_are_parted() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
