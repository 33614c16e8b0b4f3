//! `cargo x demo`: runs the user service on SQLite, then compares corespun with tonic under equal
//! load.
//!
//! The comparison is designed to be fair: each server alone on one CPU, and the load generator on
//! another. `corespun-load compare` alternates between the servers, reports intervals and a noise
//! floor, and offers an equal rate when it measures latency.

mod load;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cpus::Placement;
use crate::failure::Failure;
use crate::process::Server;
use crate::workspace;
use load::{Generator, Load};

/// Arguments of `cargo x demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Seconds of load in each turn; there are two comparisons of 40 turns.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Rate of the open loop, as a fraction of tonic's throughput in the closed loop.
const OPEN_SHARE: f64 = 0.5;

/// Builds and starts the servers, loads them, and prints the tables; the last line is the path of
/// the page.
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
    let log = folder.join(format!("{name}.log"));
    Server::start_alone(command.args(extra), place.server, &log)
}

/// Loads the real service, on SQLite, for a short time.
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

/// Compares both bench servers with constant responses: first at full throughput, then at a rate
/// that both can sustain.
fn compare(
    programs: &Path,
    folder: &Path,
    place: Placement,
    generator: &Generator,
) -> Result<(), Failure> {
    println!("\nGetUser with a constant answer, corespun beside tonic");
    let ours = start(programs, "bench-corespun", &[], folder, place)?;
    println!("  corespun: {}", ours.greeting);
    let theirs = start(programs, "bench-tonic", &[], folder, place)?;
    println!("  tonic: {}", theirs.greeting);
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
    let ceiling = generator.run(&theirs, wide)?;
    let even = Load {
        rate: Some((ceiling.rps * OPEN_SHARE).max(1.0).round()),
        ..wide
    };
    let contenders = [("corespun", &ours), ("tonic", &theirs)];
    let mut pages = Vec::new();
    for (name, load) in [("throughput", busy), ("latency", even)] {
        println!("\n{load}");
        pages.push(generator.compare(contenders, load, name)?);
    }
    println!("\ncorespun ran as: {}", ours.greeting);
    println!("{}", place.describe());
    ours.end();
    theirs.end();
    println!("the reports, for any browser:");
    pages.iter().for_each(|page| println!("{}", page.display()));
    Ok(())
}
