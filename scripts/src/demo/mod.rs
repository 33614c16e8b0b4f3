//! `cargo x demo`: the user service on SQLite, then the same calls against corespun and tonic.
//!
//! The comparison follows the rules of an honest one: each server alone on one CPU, the generator
//! on another, turns in the order A B B A A B, medians, and an equal offered rate for latency.

mod load;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::median;
use crate::cpus::Placement;
use crate::failure::Failure;
use crate::process::Server;
use crate::workspace;
use load::{Generator, Load, Report};

/// What `cargo x demo` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Seconds of load in each turn; there are eighteen turns, and one against SQLite.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// The order of turns: what drifts during a run falls on both alike.
const TURNS: [usize; 6] = [0, 1, 1, 0, 0, 1];
/// The equal rate of the open loop, as a share of what tonic manages in the closed one.
const OPEN_SHARE: f64 = 0.5;

struct Contender {
    name: &'static str,
    server: Server,
    reports: Vec<Report>,
}

/// Builds, serves, drives, and prints the table.
pub fn run(root: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let names = ["users", "bench-corespun", "bench-tonic", "corespun-load"];
    let programs = workspace::build_release(root, &names)?;
    let folder = workspace::scratch(root, "demo")?;
    let place = Placement::choose();
    println!("{}", place.describe());
    let generator = Generator {
        program: programs.join("corespun-load"),
        schema: root.join("proto/user.proto"),
        folder: folder.clone(),
        cpu: place.generator,
        seconds: arguments.seconds,
    };
    show_service(&programs, &folder, place, &generator)?;
    compare(&programs, &folder, place, &generator)
}

/// Starts a server on its CPU.
fn start(
    programs: &Path,
    name: &str,
    extra: &[&str],
    folder: &Path,
    place: Placement,
) -> Result<Server, Failure> {
    let mut command = Command::new(programs.join(name));
    command
        .args(["--listen", "127.0.0.1:0", "--shards", "1"])
        .args(extra);
    if let Some(cpu) = place.server {
        command.args(["--cpus", &cpu.to_string()]);
    }
    Server::start(
        &mut command,
        place.server,
        &folder.join(format!("{name}.log")),
    )
}

/// The real service for a moment: SQLite under it, the generator against it.
fn show_service(
    programs: &Path,
    folder: &Path,
    place: Placement,
    generator: &Generator,
) -> Result<(), Failure> {
    println!("\nthe user service on SQLite");
    let store: PathBuf = folder.join("users.db");
    let server = start(
        programs,
        "users",
        &["--db", &store.to_string_lossy()],
        folder,
        place,
    )?;
    println!("  {}", server.greeting);
    let report = generator.run(
        &server,
        Load {
            connections: 10,
            streams: 10,
            rate: None,
        },
    )?;
    println!(
        "  10 connections × 10 streams, closed loop: {}",
        report.describe()
    );
    report
        .warnings
        .iter()
        .for_each(|warning| println!("  warning: {warning}"));
    server.stop()
}

/// Both bench servers with constant answers, side by side.
fn compare(
    programs: &Path,
    folder: &Path,
    place: Placement,
    generator: &Generator,
) -> Result<(), Failure> {
    println!("\nGetUser with a constant answer, corespun beside tonic");
    let mut contenders = Vec::new();
    for (name, program) in [("corespun", "bench-corespun"), ("tonic", "bench-tonic")] {
        let server = start(programs, program, &[], folder, place)?;
        println!("  {name}: {}", server.greeting);
        contenders.push(Contender {
            name,
            server,
            reports: Vec::new(),
        });
    }
    let mut table = Vec::new();
    let busy = Load {
        connections: 10,
        streams: 100,
        rate: None,
    };
    let wide = Load {
        connections: 64,
        streams: 1,
        rate: None,
    };
    for load in [busy, wide] {
        turns(&mut contenders, generator, load)?;
        table.push((load, summaries(&contenders)));
    }
    // The wide closed loop ran last: half of what tonic reached there is a rate that both can hold.
    let rate = (table[1].1[1].rps * OPEN_SHARE).max(1.0).round();
    let even = Load {
        rate: Some(rate),
        ..wide
    };
    turns(&mut contenders, generator, even)?;
    table.push((even, summaries(&contenders)));
    let greeting = contenders[0].server.greeting.clone();
    contenders
        .into_iter()
        .for_each(|contender| contender.server.end());

    println!("\nmedians of three turns each, latency in µs (closed loop: it excludes queueing)\n");
    for (load, rows) in &table {
        print_rows(*load, rows);
    }
    println!("corespun ran as: {greeting}");
    println!("{}", place.describe());
    Ok(())
}

/// One point: every contender's turns, interleaved.
fn turns(contenders: &mut [Contender], generator: &Generator, load: Load) -> Result<(), Failure> {
    println!("  {load}");
    contenders
        .iter_mut()
        .for_each(|contender| contender.reports.clear());
    for index in TURNS {
        let contender = &mut contenders[index];
        let report = generator.run(&contender.server, load)?;
        println!("    {:9} {}", contender.name, report.describe());
        report
            .warnings
            .iter()
            .for_each(|warning| println!("    warning: {warning}"));
        contender.reports.push(report);
    }
    Ok(())
}

/// The medians of one contender at one point.
struct Summary {
    name: &'static str,
    latency: [f64; 4],
    rps: f64,
    cpu_us: f64,
}

fn summaries(contenders: &[Contender]) -> Vec<Summary> {
    let summarize = |contender: &Contender| {
        let over = |value: &dyn Fn(&Report) -> Option<f64>| {
            let values: Vec<f64> = contender.reports.iter().filter_map(value).collect();
            median(&values)
        };
        Summary {
            name: contender.name,
            latency: [
                over(&|report| report.latency_us.p50),
                over(&|report| report.latency_us.p99),
                over(&|report| report.latency_us.p999),
                over(&|report| report.latency_us.max),
            ],
            rps: over(&|report| Some(report.rps)),
            cpu_us: over(&|report| report.target_cpu_us_per_rpc),
        }
    };
    contenders.iter().map(summarize).collect()
}

fn print_rows(load: Load, rows: &[Summary]) {
    println!("{load}");
    println!("{}", header());
    for row in rows {
        println!("{}", line(row.name, row.latency, row.rps, row.cpu_us));
    }
    if let [ours, theirs] = rows {
        let better = |at: usize| times(theirs.latency[at] / ours.latency[at]);
        let [p50, p99, p999, max] = [0, 1, 2, 3].map(better);
        let rps = times(ours.rps / theirs.rps);
        let cpu = times(theirs.cpu_us / ours.cpu_us);
        println!(
            "  {:10}{p50:>10}{p99:>10}{p999:>10}{max:>10}{rps:>12}{cpu:>12}\n",
            "better by"
        );
    }
}

fn header() -> String {
    format!(
        "  {:10}{:>10}{:>10}{:>10}{:>10}{:>12}{:>12}",
        "", "p50", "p99", "p99.9", "max", "req/s", "CPU-µs/RPC"
    )
}

fn line(name: &str, [p50, p99, p999, max]: [f64; 4], rps: f64, cpu_us: f64) -> String {
    let [p50, p99, p999, max, rps] = [p50, p99, p999, max, rps].map(|value| number(value, 0));
    let cpu = number(cpu_us, 2);
    format!("  {name:10}{p50:>10}{p99:>10}{p999:>10}{max:>10}{rps:>12}{cpu:>12}")
}

fn number(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}")
    } else {
        "n/a".into()
    }
}

fn times(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{ratio:.2}×")
    } else {
        "n/a".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up() {
        let widths = |text: &str| text.chars().count();
        let row = line("tonic", [1.0, 2.0, f64::NAN, 1e6], 123_456.0, 9.5);
        assert_eq!(widths(&row), widths(&header()));
        assert!(row.contains("n/a"));
        assert!(row.ends_with("9.50"));
        assert_eq!(times(2.0), "2.00×");
    }
}
