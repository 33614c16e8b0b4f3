//! Public conformance suites: fetched, run against our programs, and counted case by case.
//!
//! | suite | cases | subject |
//! |---|---|---|
//! | h2spec | 147, of which one strict | a server, by RFC 7540 |
//! | h2specd | 57 | a client, by RFC 7540 |
//! | httpwg | 107 | a server, by RFC 9113 |
//! | HPACK stories | 446 | both directions of RFC 7541 |
//!
//! A suite that cannot be fetched is skipped by name. A suite that ran fewer cases than it has
//! fails.

mod excused;
mod h2spec;
mod httpwg;
mod page;
mod report;
mod stories;
pub mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::test::{Context, Stage};
use crate::workspace;
use report::Report;

/// Longest time of a suite outside of a test run.
const STAGE_MAX: Duration = Duration::from_secs(600);

/// Arguments of `cargo x conformance`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the page to this file instead of the terminal.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Conformance suite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suite {
    /// h2spec against our server, and h2specd against our client.
    H2spec,
    /// httpwg against our server.
    Httpwg,
    /// The HPACK stories.
    Stories,
}

impl Suite {
    const ALL: [Self; 3] = [Self::H2spec, Self::Httpwg, Self::Stories];

    /// Returns the name of the stage.
    fn name(self) -> &'static str {
        match self {
            Self::H2spec => "h2spec",
            Self::Httpwg => "httpwg",
            Self::Stories => "stories",
        }
    }
}

/// Runs a suite as a stage: every case becomes a line of its log.
pub fn run(suite: Suite, context: &Context, stage: &mut Stage) {
    for report in reports(suite, context, stage) {
        report.tell(stage);
    }
}

/// Runs all suites and writes the page about them; returns true if all passed.
pub fn conformance(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let context = Context::new(root, "conformance-logs")?;
    let (mut all, mut held) = (Vec::new(), true);
    for suite in Suite::ALL {
        println!("{}", suite.name());
        let mut stage = Stage::begin(&context.logs, suite.name(), STAGE_MAX)?;
        let reports = reports(suite, &context, &mut stage);
        reports.iter().for_each(|report| report.tell(&mut stage));
        all.extend(reports);
        let outcome = stage.finish(suite.name());
        outcome.print_remarks();
        held &= outcome.held && outcome.count.skipped.is_empty();
    }
    let page = page::write(&all);
    match &arguments.write {
        None => println!("\n{page}"),
        // A page about some of the suites would look as if the others did not exist.
        Some(_) if !held => println!("not written: some suite failed or was skipped"),
        Some(path) => {
            let path = root.join(path);
            let folder = path.parent().unwrap_or(root);
            fs::create_dir_all(folder).attempt(|| format!("make {folder:?}"))?;
            fs::write(&path, page).attempt(|| format!("write {path:?}"))?;
        }
    }
    Ok(held)
}

fn reports(suite: Suite, context: &Context, stage: &mut Stage) -> Vec<Report> {
    let reports = match suite {
        Suite::H2spec => h2spec::run(context, stage),
        Suite::Httpwg => httpwg::run(context, stage),
        Suite::Stories => stories::run(context, stage),
    };
    reports.unwrap_or_else(|failure| {
        stage.fault(failure);
        Vec::new()
    })
}

/// Builds the programs under test together with all others. cargo would choose other features for a
/// part of them, and compile everything again.
fn build(context: &Context, stage: &mut Stage) -> bool {
    let mut cargo = workspace::cargo(&context.root);
    stage.command(cargo.args(["build", "--workspace", "--all-targets"]))
}

/// Returns the engines that this machine has for `suite`.
fn engines(suite: &str, context: &Context, stage: &Stage) -> Vec<&'static str> {
    match &context.no_uring {
        None => vec!["uring", "epoll"],
        Some(reason) => {
            stage.skip(&format!("{suite}-uring"), reason);
            vec!["epoll"]
        }
    }
}

/// Runs `suite` against our server, once on each engine.
fn against_servers(
    context: &Context,
    engines: &[&str],
    mut suite: impl FnMut(&Server, &str) -> Result<Vec<Report>, Failure>,
) -> Result<Vec<Report>, Failure> {
    let mut reports = Vec::new();
    for engine in engines {
        let mut command = Command::new(context.target.join("debug/plain"));
        command.args(["--shards", "1"]);
        let log = context.logs.join(format!("plain-{engine}.log"));
        let server = Server::start_on(&mut command, engine, &log)?;
        reports.extend(suite(&server, engine)?);
        server.stop()?;
    }
    Ok(reports)
}
