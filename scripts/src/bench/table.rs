//! Results as the Markdown table in docs/measurements.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{median, server};
use crate::failure::{Attempt, Failure};

/// Result of one turn of one server at one point.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// CPU time of the server process per request, in microseconds.
    pub cpu_us: f64,
    /// Requests per second of wall time.
    pub rps: f64,
}

/// Results of all turns of a measurement.
#[derive(Default)]
pub struct Table {
    cells: Vec<((u32, u32), &'static str, Cell)>,
}

impl Table {
    /// Adds one turn.
    pub fn add(&mut self, point: (u32, u32), label: &'static str, cell: Cell) {
        self.cells.push((point, label, cell));
    }

    /// Returns the median CPU time of a server's turns at a point, in microseconds.
    pub fn cpu_us(&self, point: (u32, u32), label: &str) -> Option<f64> {
        let matching = self
            .cells
            .iter()
            .filter(|(at, name, _)| *at == point && *name == label);
        let values: Vec<f64> = matching.map(|(_, _, cell)| cell.cpu_us).collect();
        (!values.is_empty()).then(|| median(&values))
    }

    /// Formats one line per point: medians over turns, and the claimed ratios.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| connections × streams | corespun uring | coalescing | corespun epoll | tonic \
             | tonic / uring | tonic / coalescing | canned replies | uring / canned | raw echo |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        let mut points: Vec<_> = self.cells.iter().map(|(point, _, _)| *point).collect();
        points.dedup();
        for point in points {
            let of = |subject: server::Subject| self.cpu_us(point, subject.label);
            let (uring, coalescing) = (of(server::URING), of(server::COALESCING));
            let (tonic, canned) = (of(server::TONIC), of(server::CANNED));
            let cells = [
                shown(uring),
                shown(coalescing),
                shown(of(server::EPOLL)),
                shown(tonic),
                ratio(tonic, uring),
                ratio(tonic, coalescing),
                shown(canned),
                ratio(uring, canned),
                shown(of(server::ECHO)),
            ];
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {} × {} | {} |",
                point.0,
                point.1,
                cells.join(" | ")
            );
        }
        text
    }
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.2}"))
}

fn ratio(above: Option<f64>, below: Option<f64>) -> String {
    match (above, below) {
        (Some(above), Some(below)) => format!("{:.2}×", above / below),
        _ => String::new(),
    }
}

/// Replaces the text between `<!-- NAME -->` and `<!-- /NAME -->` in a file.
pub fn write_between_markers(file: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let old = fs::read_to_string(file).attempt(|| format!("read {file:?}"))?;
    let new = replace_between(&old, name, text)
        .ok_or_else(|| Failure::new(format!("write {file:?}"), format!("no {name} markers")))?;
    fs::write(file, new).attempt(|| format!("write {file:?}"))
}

/// Replaces the text between markers. The closing marker may also be a second opening one.
fn replace_between(old: &str, name: &str, text: &str) -> Option<String> {
    let open = format!("<!-- {name} -->");
    let start = old.find(&open)? + open.len();
    let rest = &old[start..];
    let end = rest
        .find(&format!("<!-- /{name} -->"))
        .or_else(|| rest.find(&open))?;
    Some(format!(
        "{}\n{}\n{}",
        &old[..start],
        text.trim_end(),
        &rest[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios_make_a_row() {
        let mut table = Table::default();
        for (label, values) in [
            (server::URING.label, [2.0, 1.0, 9.0]),
            (server::TONIC.label, [20.0, 21.0, 19.0]),
        ] {
            for cpu_us in values {
                table.add((10, 100), label, Cell { cpu_us, rps: 1.0 });
            }
        }
        let text = table.markdown();
        let row = text.lines().nth(2);
        assert_eq!(
            row,
            Some("| 10 × 100 | 2.00 |  |  | 20.00 | 10.00× |  |  |  |  |")
        );
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn markers_keep_their_surroundings() {
        let check = |old: &str, new: Option<&str>| {
            assert_eq!(replace_between(old, "b", "T\n").as_deref(), new);
        };
        check(
            "x\n<!-- b -->\nold\n<!-- /b -->\ny",
            Some("x\n<!-- b -->\nT\n<!-- /b -->\ny"),
        );
        check(
            "<!-- b -->\nold\n<!-- b -->",
            Some("<!-- b -->\nT\n<!-- b -->"),
        );
        check("<!-- b --> alone", None);
    }
}
