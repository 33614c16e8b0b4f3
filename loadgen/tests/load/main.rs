//! Tests of the load generator with servers that are correct, wrong, late or silent, on both
//! engines.

mod agents;
mod answers;
mod authority;
mod baseline;
mod beside;
mod calls;
mod command;
mod commands;
mod counts;
mod data;
mod learned;
mod reflection;
mod secure;
mod server;
mod targets;
mod timing;
mod truth;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::Parser;
use corespun_load::{Command, CommandLine, Interrupt, LoadError, Plan, Report, run};
use corespun_runtime::{Address, Engine};

/// Lock for one run at a time, because runs measure time and the machine may be small.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the engines that work here, and prints the name of one that does not.
fn engines() -> impl Iterator<Item = Engine> {
    Engine::candidates().filter_map(|(engine, usable)| match usable {
        Ok(()) => Some(engine),
        Err(error) => {
            eprintln!("SKIPPED {engine}: {error}");
            None
        }
    })
}

/// Returns the path of a file for one test.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

fn schema() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/user.proto")
}

/// Returns a command line that calls GetUser at `target`. The flag `--learn` is removed, and the
/// schema is then read by reflection.
fn command_line(target: &Address, flags: &str) -> Vec<String> {
    let mut words = vec!["corespun-load".to_owned(), "run".to_owned()];
    words.extend(["--target".to_owned(), target.to_string()]);
    let given = flags.contains("--learn") || flags.contains("--descriptor-set");
    if !given {
        words.extend(["--proto".to_owned(), schema().display().to_string()]);
    }
    let flags = flags.replace("--learn", "");
    if !flags.contains("--method") && !flags.contains("--scenario") {
        words.extend(["--method".to_owned(), "user.UserService/GetUser".to_owned()]);
        if !flags.contains("--data ") {
            words.extend(["--data".to_owned(), r#"{"id":7}"#.to_owned()]);
        }
    }
    words.extend(flags.split_whitespace().map(str::to_owned));
    words
}

fn load(engine: Engine, target: &Address, flags: &str) -> Result<Report, LoadError> {
    load_interrupted(engine, target, flags, &Interrupt::manual())
}

fn load_interrupted(
    engine: Engine,
    target: &Address,
    flags: &str,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    let flags = format!("{flags} --engine {engine}");
    let line = CommandLine::try_parse_from(command_line(target, &flags)).unwrap();
    let Command::Run(args) = line.command else {
        unreachable!("the line says run");
    };
    let mut progress = Vec::new();
    let report = run(Plan::new(&args)?, &mut progress, interrupt)?;
    assert_eq!(report.setup.engine, engine.to_string());
    Ok(report)
}
