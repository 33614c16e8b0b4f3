//! `cargo x drains`: drains and restarts servers under the load of unmodified grpcio clients; no
//! call may fail.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::bench::table::write_between_markers;
use crate::failure::{Attempt, Failure};
use crate::process::{Server, wait_at_most};
use crate::python::{self, Python};
use crate::test::{self, Context, Stage};
use crate::workspace;

/// Marker of the table in its file.
const MARKER: &str = "drains";
/// Pause between a successor's start and the next drain. grpcio retries an address that refused it
/// after a second, so that draining the second server before that would leave it no server.
const PAUSE: Duration = Duration::from_secs(2);
/// Number of drains in the short form, which is part of the tests.
const SHORT_TURNS: u32 = 4;
/// Longest time until the clients have ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `cargo x drains`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Number of drains on each engine.
    #[arg(long, value_name = "N", default_value_t = 100)]
    turns: u32,
    /// Replace the table between the `drains` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Result of the drains on one engine.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    engine: String,
    drains: u32,
    /// Largest rate of the clients in calls per second; the load is half of it.
    capacity: u64,
    calls: u64,
    /// Calls received after the last stream of GOAWAY, which grpcio retried.
    late: u64,
    failed: u64,
    slowest_ms: u64,
    /// Connections and calls that the servers cut off.
    cut_connections: u64,
    cut_calls: u64,
}

/// Drains on both engines, prints the table, and writes it; returns true if no call failed.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let context = Context::new(root, "drains-logs")?;
    let mut build = workspace::cargo(root);
    build.args(["build", "--workspace", "--bin", "users"]);
    let status = build.status().attempt(|| "start cargo".into())?;
    if !status.success() {
        return Err(Failure::new("build users", status));
    }
    let python = python::ready(&context)?;
    let mut rows = Vec::new();
    for engine in ["uring", "epoll"] {
        match test::no_uring().filter(|_| engine == "uring") {
            Some(reason) => println!("SKIPPED uring: {reason}"),
            None => rows.push(drains(&context, &python, engine, arguments.turns)?),
        }
    }
    let table = markdown(&rows);
    print!("{table}");
    if let Some(file) = &arguments.write {
        write_between_markers(&root.join(file), MARKER, &table)?;
    }
    Ok(rows.iter().all(Row::is_clean))
}

/// Runs the short form, as a part of the cross-language stage.
pub fn short(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let row = drains(context, python, engine, SHORT_TURNS)?;
    if row.is_clean() {
        stage.note(format!("ok drains_under_load: {row:?}"));
    } else {
        stage.fault(format!("a drain under load lost calls: {row:?}"));
    }
    Ok(())
}

fn drains(context: &Context, python: &Python, engine: &str, turns: u32) -> Result<Row, Failure> {
    let mut rolling = Rolling::start(context, engine)?;
    let addresses = rolling.addresses();
    let mut load = Load::start(python, &addresses, context, engine)?;
    let mut row = Row {
        engine: engine.to_owned(),
        drains: turns,
        capacity: number_after(&load.line()?, "capacity")?,
        ..Row::default()
    };
    for turn in 0..turns {
        sleep(PAUSE);
        rolling.replace(turn as usize % 2, &mut row)?;
    }
    let report = load.end()?;
    row.calls = number_after(&report, "calls")?;
    row.failed = number_after(&report, "failed")?;
    row.slowest_ms = number_after(&report, "slowest_ms")?;
    for server in rolling.servers.into_iter().flatten() {
        server.stop()?;
    }
    Ok(row)
}

/// Two servers on one store, replaced one at a time.
struct Rolling<'a> {
    context: &'a Context,
    engine: &'a str,
    store: PathBuf,
    servers: [Option<Server>; 2],
}

impl<'a> Rolling<'a> {
    fn start(context: &'a Context, engine: &'a str) -> Result<Self, Failure> {
        let store = workspace::scratch(&context.root, &format!("drains-store-{engine}"))?;
        let mut rolling = Self {
            context,
            engine,
            store,
            servers: [None, None],
        };
        for place in 0..2 {
            rolling.serve(place, "127.0.0.1:0")?;
        }
        Ok(rolling)
    }

    fn addresses(&self) -> [String; 2] {
        let address = |server: &Option<Server>| {
            let server = server.as_ref();
            server.map_or_else(String::new, |server| server.address.clone())
        };
        [address(&self.servers[0]), address(&self.servers[1])]
    }

    fn log(&self, place: usize) -> PathBuf {
        let name = format!("drains-{}-{place}.log", self.engine);
        self.context.logs.join(name)
    }

    fn serve(&mut self, place: usize, address: &str) -> Result<(), Failure> {
        let mut command = python::program(self.context, "users");
        command.args(["--listen", address, "--shards", "2"]);
        command.args(["--engine", self.engine, "--db"]);
        command.arg(self.store.join("users.db"));
        let server = Server::start(&mut command, None, &self.log(place))?;
        server.check_engine(self.engine)?;
        self.servers[place] = Some(server);
        Ok(())
    }

    /// Sends SIGTERM to one server, and starts a successor on its address once it has ended.
    fn replace(&mut self, place: usize, row: &mut Row) -> Result<(), Failure> {
        let Some(server) = self.servers[place].take() else {
            return Ok(());
        };
        let address = server.address.clone();
        server.stop()?;
        let log = self.log(place);
        let text = fs::read_to_string(&log).attempt(|| format!("read {log:?}"))?;
        let line = text.lines().find(|line| line.contains("cut off: "));
        let line = line.ok_or_else(|| Failure::new("drain users", "it does not say how"))?;
        row.cut_connections += number_after(line, "off:")?;
        row.cut_calls += number_after(line, "with")?;
        row.late += number_after(line, "late calls:")?;
        self.serve(place, &address)
    }
}

/// Client processes that generate the load.
struct Load {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Load {
    fn start(
        python: &Python,
        addresses: &[String; 2],
        context: &Context,
        engine: &str,
    ) -> Result<Self, Failure> {
        let log = context.logs.join(format!("drains-{engine}-clients.log"));
        let errors = fs::File::create(&log).attempt(|| format!("make {log:?}"))?;
        let mut command = python.script("drains.py", "full");
        command.args(addresses).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().attempt(|| "start drains.py".into())?;
        let output = child.stdout.take().map(BufReader::new);
        match output {
            Some(output) => Ok(Self { child, output }),
            None => Err(Failure::new("start drains.py", "it has no output")),
        }
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        match read.attempt(|| "read the output of drains.py".into())? {
            0 => Err(Failure::new("run drains.py", "it has ended")),
            _ => Ok(line),
        }
    }

    /// Ends the load, and returns its last line of output. Failed calls are printed.
    fn end(mut self) -> Result<String, Failure> {
        drop(self.child.stdin.take());
        let report = self.line()?;
        while let Ok(line) = self.line() {
            println!("{}", line.trim_end());
        }
        match wait_at_most(&mut self.child, PATIENCE)? {
            Some(status) if status.success() => Ok(report),
            Some(status) => Err(Failure::new("run drains.py", status)),
            None => Err(Failure::new("end drains.py", "it goes on")),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Row {
    /// Returns true if nothing was lost.
    fn is_clean(&self) -> bool {
        self.failed == 0 && self.cut_calls == 0 && self.calls > 0
    }
}

/// Returns the number after `word` in a line.
fn number_after(line: &str, word: &str) -> Result<u64, Failure> {
    let (_, rest) = line.split_once(word).unwrap_or_default();
    let number = rest.split_whitespace().next().unwrap_or_default();
    let wrong = || format!("read the number after {word:?} in {:?}", line.trim_end());
    number.trim_end_matches(';').parse().attempt(wrong)
}

fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| engine | drains | capacity, calls/s | load, calls/s | calls | OK | of these made again \
         by grpcio | failed | cut off | slowest call, ms |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let Row {
            engine,
            drains,
            capacity,
            calls,
            late,
            failed,
            slowest_ms,
            cut_calls,
            ..
        } = row;
        let (load, ok) = (capacity / 2, calls - failed);
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| {engine} | {drains} | {capacity} | {load} | {calls} | {ok} | {late} | {failed} \
             | {cut_calls} | {slowest_ms} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_the_servers_last_line() {
        let line = "users: cut off: 3 connections with 14 calls; late calls: 15";
        let found = ["off:", "with", "late calls:"].map(|word| number_after(line, word).unwrap());
        assert_eq!(found, [3, 14, 15]);
        assert!(number_after(line, "early").is_err());
    }

    #[test]
    fn a_row_says_what_became_of_the_calls() {
        let row = Row {
            engine: "uring".into(),
            drains: 100,
            capacity: 2000,
            calls: 5000,
            late: 3,
            slowest_ms: 40,
            ..Row::default()
        };
        assert!(row.is_clean());
        let text = markdown(std::slice::from_ref(&row));
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| uring | 100 | 2000 | 1000 | 5000 | 5000 | 3 | 0 | 0 | 40 |"
        );
        assert!(!Row { failed: 1, ..row }.is_clean());
    }
}
