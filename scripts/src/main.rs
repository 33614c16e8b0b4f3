//! `cargo x`: the project's development tasks, written in Rust.
//!
//! | task | purpose |
//! |---|---|
//! | `cargo x tidy` | checks the house rules that neither rustc nor clippy knows |
//! | `cargo x test` | runs all checks and tests in named, timed stages |
//! | `cargo x conformance` | runs public conformance suites, and writes their page |
//! | `cargo x demo` | runs the service, and compares its latency with tonic's |
//! | `cargo x attacks` | runs known attacks against a real server, and writes their table |
//! | `cargo x drains` | drains servers under load, and writes the table of results |
//! | `cargo x overload` | offers a server three times its capacity, with admission on and off |
//! | `cargo x schemas` | generates and compiles code for schemas of other projects |
//! | `cargo x fuzz` | searches for inputs that violate an invariant, guided by coverage |
//! | `cargo x bench h2load` | measures CPU time per RPC against tonic, with h2load |
//! | `cargo x bench costs` | measures CPU time per RPC for each optional feature |
//!
//! **Not here:** code of the other crates. This crate treats the workspace as text, and runs its
//! programs by their command lines.
#![forbid(unsafe_code)]

mod attacks;
mod bench;
mod browser;
mod cpus;
mod demo;
mod drains;
mod failure;
mod fuzz;
mod interop;
mod overload;
mod peers;
mod probes;
mod process;
mod python;
mod schemas;
mod suites;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

#[derive(Parser)]
#[command(name = "cargo x", about = "The tasks of the corespun workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the house rules: imports, unsafe code, sizes, words, documents.
    Tidy(tidy::Arguments),
    /// Run every check and test, or the named stages only.
    Test(test::Arguments),
    /// Run public conformance suites, and print or write the page about them.
    Conformance(suites::Arguments),
    /// Build and load the servers, and print the table of latencies compared with tonic's.
    Demo(demo::Arguments),
    /// Attack a real server on both engines, and print its response to each attack.
    Attacks(attacks::Arguments),
    /// Drain servers under the load of Python clients; no call may fail.
    Drains(drains::Arguments),
    /// Load a server with three times its capacity, with admission control and without.
    Overload(overload::Arguments),
    /// Generate and compile code for schemas of other projects.
    Schemas(schemas::Arguments),
    /// Search for inputs that violate an invariant of the protocol code.
    Fuzz(fuzz::Arguments),
    /// Measure with tools of other projects.
    #[command(subcommand)]
    Bench(bench::Task),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one task; returns false if it ran and found a fault.
fn run(task: Task) -> Result<bool, Failure> {
    let root = workspace::root()?;
    match task {
        Task::Tidy(arguments) => tidy::run(&root, &arguments),
        Task::Test(arguments) => test::run(&root, &arguments),
        Task::Conformance(arguments) => suites::conformance(&root, &arguments),
        Task::Demo(arguments) => demo::run(&root, &arguments).map(|()| true),
        Task::Attacks(arguments) => attacks::run(&root, &arguments),
        Task::Drains(arguments) => drains::run(&root, &arguments),
        Task::Overload(arguments) => overload::run(&root, &arguments),
        Task::Schemas(arguments) => schemas::run(&root, &arguments),
        Task::Fuzz(arguments) => fuzz::run(&root, &arguments),
        Task::Bench(bench::Task::H2load(arguments)) => {
            bench::h2load::run(&root, &arguments).map(|()| true)
        }
        Task::Bench(bench::Task::Costs(arguments)) => {
            bench::costs::run(&root, &arguments).map(|()| true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn tasks_parse() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("x tidy --bless").is_ok());
        assert!(parse("x test fmt tidy").is_ok());
        assert!(parse("x test nonsense").is_err());
        assert!(parse("x conformance --write docs/conformance.md").is_ok());
        assert!(parse("x demo --seconds 3").is_ok());
        assert!(parse("x attacks --write docs/attacks.md").is_ok());
        assert!(parse("x drains --turns 3 --write docs/drains.md").is_ok());
        assert!(parse("x overload --turns 1 --write docs/overload.md").is_ok());
        assert!(parse("x schemas etcd --write docs/schemas.md").is_ok());
        assert!(parse("x fuzz all --minutes 0.5").is_ok());
        assert!(parse("x bench h2load --turns 3 --write docs/measurements.md").is_ok());
        assert!(parse("x bench costs --turns 3 --seconds 1 --write docs/measurements.md").is_ok());
    }
}
