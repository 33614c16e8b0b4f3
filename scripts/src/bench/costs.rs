//! `cargo x bench costs`: measures the cost per call of each optional feature, relative to the same
//! server without it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::h2load::{Bench, Pace};
use super::server::{self, CERTIFICATE, Subject, With};
use super::table::{self, Table};
use crate::failure::Failure;
use crate::peers;

/// Connections × streams: one point is dominated by protocol work, the other by the kernel.
const POINTS: &[(u32, u32)] = &[(10, 100), (64, 1)];

/// Servers with one feature each.
const SUBJECTS: &[Subject] = &[
    server::URING,
    with("TLS 1.3", With::Tls),
    with(
        "an interceptor that lets all pass",
        With::Named("interceptor"),
    ),
    with("an observer of messages", With::Named("observer")),
    with("a span, not sampled", With::Named("span")),
    with("a span, sampled, no collector", With::Named("sampled-span")),
    with("channelz", With::Named("channelz")),
    with("gRPC-Web beside it", With::Named("web")),
    with("admission control", With::Admission),
];

const fn with(label: &'static str, with: With) -> Subject {
    Subject {
        label,
        with: Some(with),
        ..server::URING
    }
}

/// Arguments of `cargo x bench costs`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Number and duration of the runs
    #[command(flatten)]
    pace: Pace,
    /// Replace the table between the `bench:costs` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Measures, prints the table, and writes it if requested.
pub fn run(root: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let bench = Bench::new(root, &[server::URING.program])?;
    let made = peers::certificate(bench.logs())?;
    debug_assert!(made.0.ends_with(CERTIFICATE.0) && made.1.ends_with(CERTIFICATE.1));
    let mut table = Table::default();
    for &point in POINTS {
        bench.measure(point, SUBJECTS, arguments.pace, &mut table)?;
    }
    let text = format!("{}\n{}", bench.about(arguments.pace), markdown(&table));
    println!("\n{text}");
    match &arguments.write {
        Some(file) => table::write_between_markers(&root.join(file), "bench:costs", &text),
        None => Ok(()),
    }
}

/// Formats one line for each feature: its CPU time, and its ratio to that of the server without it.
fn markdown(table: &Table) -> String {
    let mut text = String::from("| turned on |");
    // Writing into a String cannot fail.
    for (connections, streams) in POINTS {
        let _ = write!(text, " {connections} × {streams} | × |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|---:|".repeat(POINTS.len()));
    for subject in SUBJECTS {
        let name = match subject.with {
            None => "nothing",
            Some(_) => subject.label,
        };
        let _ = write!(text, "\n| {name} |");
        for &point in POINTS {
            let plain = table.cpu_us(point, server::URING.label);
            let spent = table.cpu_us(point, subject.label);
            let (Some(plain), Some(spent)) = (plain, spent) else {
                text.push_str("  |  |");
                continue;
            };
            let _ = write!(text, " {spent:.2} | {:.2} |", spent / plain);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::table::Cell;
    use super::*;

    #[test]
    fn each_thing_is_beside_nothing() {
        let mut table = Table::default();
        for (subject, cpu_us) in SUBJECTS.iter().zip([2.0, 5.0]) {
            table.add((10, 100), subject.label, Cell { cpu_us, rps: 1.0 });
        }
        let text = markdown(&table);
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows.len(), 2 + SUBJECTS.len());
        assert_eq!(rows[2], "| nothing | 2.00 | 1.00 |  |  |");
        assert_eq!(rows[3], "| TLS 1.3 | 5.00 | 2.50 |  |  |");
    }
}
