//! `cargo x`: the project's own tasks, written in the project's own language.
//!
//! | task | what it does |
//! |---|---|
//! | `cargo x tidy` | checks the house rules that neither rustc nor clippy knows |
//! | `cargo x test` | every check and every test, each stage timed and named |
//! | `cargo x conformance` | the suites that others wrote, and the page about them |
//! | `cargo x demo` | the service, then its latency beside tonic's |
//! | `cargo x attacks` | known attacks against a real server, and their table |
//! | `cargo x drains` | servers drained under load, and the table of what became of the calls |
//! | `cargo x overload` | three times what a server can do, with admission and without |
//! | `cargo x fuzz` | inputs that break a promise, sought by coverage |
//! | `cargo x bench h2load` | CPU time per RPC against tonic, driven by a foreign generator |
//! | `cargo x bench costs` | the same for each thing that a server can be told to do |
//!
//! **Not here:** any code of the other crates. This one knows the workspace as text and the
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
    /// Check the house rules: imports, unsafe code, sizes, words, papers.
    Tidy(tidy::Arguments),
    /// Run every check and test, or the named stages only.
    Test(test::Arguments),
    /// Run the suites that others wrote, and print or write the page about them.
    Conformance(suites::Arguments),
    /// Build, serve, drive, and print the latency table beside tonic's.
    Demo(demo::Arguments),
    /// Attack a real server on both engines and print how each attack was met.
    Attacks(attacks::Arguments),
    /// Drain servers under the load of Python's clients, none of whose calls may fail.
    Drains(drains::Arguments),
    /// Offer a server three times what it can do, with admission and without.
    Overload(overload::Arguments),
    /// Look for inputs that break a promise of the protocol core.
    Fuzz(fuzz::Arguments),
    /// Measure with a tool that is not ours.
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

/// Runs one task; `false` means it ran and found fault.
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
        assert!(parse("x fuzz all --minutes 0.5").is_ok());
        assert!(parse("x bench h2load --turns 3 --write docs/measurements.md").is_ok());
        assert!(parse("x bench costs --turns 3 --seconds 1 --write docs/measurements.md").is_ok());
    }
}
