//! `cargo x attacks`: runs every known attack against a real server on both engines, and writes
//! their table.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::table::write_between_markers;
use crate::failure::{Attempt, Failure};
use crate::{test, workspace};

/// Variable with the name of the file to which the tests append the rows of their attacks.
const ROWS_VARIABLE: &str = "CORESPUN_ATTACK_ROWS";
/// Marker of the table in its file.
const MARKER: &str = "attacks";

/// Arguments of `cargo x attacks`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Replace the table between the `attacks` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Result of one attack on one engine, as written by the tests.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    engine: String,
    name: String,
    cve: String,
    limit: String,
    sent: String,
    memory_mib: String,
    /// p99 of the good client under attack.
    p99_ms: String,
    /// Ratio of the good client's p99 under attack to its p99 alone.
    ratio: String,
}

/// Runs the attacks in their long form, prints their table, and writes it; returns true if the
/// server defended itself against each.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let mut rows = Vec::new();
    let mut held = true;
    for engine in ["uring", "epoll"] {
        match test::no_uring().filter(|_| engine == "uring") {
            Some(reason) => println!("SKIPPED uring: {reason}"),
            None => held &= run_on(root, engine, &mut rows)?,
        }
    }
    let table = markdown(&rows);
    print!("{table}");
    if let Some(file) = &arguments.write {
        write_between_markers(&root.join(file), MARKER, &table)?;
    }
    Ok(held)
}

fn run_on(root: &Path, engine: &str, rows: &mut Vec<Row>) -> Result<bool, Failure> {
    let file = workspace::scratch(root, &format!("attacks-{engine}"))?.join("rows");
    // The whole workspace, because one package alone would be compiled with other features.
    let mut command = workspace::cargo(root);
    command
        .args(["test", "--release", "--workspace", "--test", "attacks"])
        .env("CORESPUN_ENGINE", engine)
        .env(ROWS_VARIABLE, &file);
    let status = command.status().attempt(|| "start cargo".into())?;
    let text = fs::read_to_string(&file).attempt(|| format!("read {file:?}"))?;
    for line in text.lines() {
        rows.push(Row::parse(line)?);
    }
    Ok(status.success())
}

impl Row {
    fn parse(line: &str) -> Result<Self, Failure> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [engine, name, cve, limit, sent, memory_mib, p99_ms, ratio] = fields[..] else {
            return Err(Failure::new(
                "read a row of the attacks",
                format!("{line:?}"),
            ));
        };
        Ok(Self {
            engine: engine.into(),
            name: name.into(),
            cve: cve.into(),
            limit: limit.into(),
            sent: sent.into(),
            memory_mib: memory_mib.into(),
            p99_ms: p99_ms.into(),
            ratio: ratio.into(),
        })
    }
}

/// Formats one line per attack, in the order of their first run. Both engines share a cell of
/// numbers, and a cell of responses that differ.
fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | known as | stopped by | sent | memory above idle, MiB \
         | p99 of others, ms | × alone |\n|---|---|---|---|---:|---:|---:|\n",
    );
    let mut engines: Vec<&str> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !engines.contains(&row.engine.as_str()) {
            engines.push(&row.engine);
        }
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    for name in &names {
        let same: Vec<&Row> = rows.iter().filter(|row| row.name == *name).collect();
        let cell = |field: fn(&Row) -> &str| {
            let values: Vec<&str> = same.iter().map(|row| field(row)).collect();
            values.join(" / ")
        };
        let mut sent: Vec<&str> = same.iter().map(|row| row.sent.as_str()).collect();
        sent.dedup();
        let (cve, limit) = (&same[0].cve, &same[0].limit);
        let memory = cell(|row| &row.memory_mib);
        let (p99, ratio) = (cell(|row| &row.p99_ms), cell(|row| &row.ratio));
        let sent = sent.join(" / ");
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| {name} | {cve} | {limit} | {sent} | {memory} | {p99} | {ratio} |"
        );
    }
    let engines = engines.join(" / ");
    let _ = writeln!(text, "\n{} attacks; {engines}.", names.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_engines_share_a_line() {
        let lines = [
            "uring\tflood\tCVE-1\t`bound`\tGOAWAY X\t1.5\t0.12\t1.1",
            "uring\tother\t\tRFC\tserved\t0.1\t0.10\t1.0",
            "epoll\tflood\tCVE-1\t`bound`\tGOAWAY X\t2.5\t0.22\t1.2",
            "epoll\tother\t\tRFC\tclosed\t0.2\t0.20\t0.9",
        ];
        let rows: Vec<Row> = lines.iter().map(|line| Row::parse(line).unwrap()).collect();
        let text = markdown(&rows);
        let body: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            body,
            [
                "| flood | CVE-1 | `bound` | GOAWAY X | 1.5 / 2.5 | 0.12 / 0.22 | 1.1 / 1.2 |",
                "| other |  | RFC | served / closed | 0.1 / 0.2 | 0.10 / 0.20 | 1.0 / 0.9 |",
                "",
                "2 attacks; uring / epoll.",
            ]
        );
        assert!(Row::parse("too\tfew").is_err());
    }
}
