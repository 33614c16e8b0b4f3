//! `cargo x test`: runs every check and every test of the workspace, with one target folder and one
//! profile, so that each crate is compiled once.
//!
//! A stage that fails does not stop later ones. What this machine cannot run is printed as `SKIPPED
//! name: reason`.

mod cargo;
mod count;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::failure::Failure;
use crate::suites::Suite;
use crate::{browser, interop, python, schemas, suites, tidy, workspace};
use count::Count;
use stage::Outcome;
pub use stage::Stage;

/// Arguments of `cargo x test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Stages to run, in their fixed order; all if none is named.
    stages: Vec<Name>,
}

/// Stages, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Name {
    /// rustfmt would change nothing.
    Fmt,
    /// The house rules hold.
    Tidy,
    /// Clippy reports nothing.
    Clippy,
    /// The docs build without a warning.
    Doc,
    /// Programs and tests compile.
    Build,
    /// All tests, on io_uring.
    Uring,
    /// The tests that touch sockets, on epoll.
    Epoll,
    /// h2spec against our server, and h2specd against our client.
    H2spec,
    /// httpwg, the suite of RFC 9113, against our server.
    Httpwg,
    /// The public HPACK stories, decoded and encoded again.
    Stories,
    /// Pages in Chromium against our server, on both engines.
    Browser,
    /// Every bench runs once.
    Bench,
    /// Code for schemas that others publish is generated and compiled.
    Schemas,
    /// Python against our server and our client against Python's, on io_uring.
    PythonUring,
    /// Python against our server and our client against Python's, on epoll.
    PythonEpoll,
    /// gRPC's interoperability cases with clients in three languages, and common tools against our
    /// services, on io_uring.
    InteropUring,
    /// gRPC's interoperability cases with clients in three languages, and common tools against our
    /// services, on epoll.
    InteropEpoll,
}

impl Name {
    fn text(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if the stage counts its cases.
    fn has_cases(self) -> bool {
        !matches!(
            self,
            Self::Fmt | Self::Tidy | Self::Clippy | Self::Doc | Self::Build
        )
    }

    /// Returns the longest time of a stage; it is killed then, so that a hang does not use up the
    /// whole run.
    fn limit(self) -> Duration {
        let minutes = match self {
            Self::Fmt | Self::Tidy => 2,
            Self::Clippy | Self::Doc | Self::Build | Self::Uring | Self::Epoll => 25,
            Self::H2spec | Self::Httpwg | Self::Stories | Self::Browser => 10,
            Self::Bench | Self::Schemas => 10,
            // The first of these stages fetches and builds what all of them need.
            Self::PythonUring | Self::PythonEpoll => 20,
            Self::InteropUring | Self::InteropEpoll => 15,
        };
        Duration::from_secs(60 * minutes)
    }
}

/// Data for all stages.
pub struct Context {
    /// Root of the workspace.
    pub root: PathBuf,
    /// Target folder.
    pub target: PathBuf,
    /// Folder of the logs.
    pub logs: PathBuf,
    /// Reason why io_uring cannot be used here; `None` if it can.
    pub no_uring: Option<String>,
}

impl Context {
    /// Creates the data for all stages, with an empty folder of this name for logs.
    pub fn new(root: &Path, logs: &str) -> Result<Self, Failure> {
        Ok(Self {
            root: root.to_owned(),
            target: workspace::target(root)?,
            logs: workspace::scratch(root, logs)?,
            no_uring: no_uring(),
        })
    }
}

/// Runs the stages and prints the summary; returns true if all passed.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let context = Context::new(root, "test-logs")?;
    let chosen = |name: &&Name| arguments.stages.is_empty() || arguments.stages.contains(name);
    let mut outcomes = Vec::new();
    for name in Name::value_variants().iter().filter(chosen) {
        println!("{}", name.text());
        let mut stage = Stage::begin(&context.logs, &name.text(), name.limit())?;
        if name.has_cases() {
            stage.expect_cases();
        }
        run_stage(*name, &context, &mut stage);
        let outcome = stage.finish(&name.text());
        println!("{}", line(&outcome));
        outcome.print_remarks();
        outcomes.push(outcome);
    }
    Ok(summarize(&outcomes))
}

fn run_stage(name: Name, context: &Context, stage: &mut Stage) {
    match name {
        Name::Fmt => cargo::fmt(context, stage),
        Name::Tidy => check_house(context, stage),
        Name::Clippy => cargo::clippy(context, stage),
        Name::Doc => cargo::doc(context, stage),
        Name::Build => cargo::build(context, stage),
        Name::Uring => cargo::test_uring(context, stage),
        Name::Epoll => cargo::test_epoll(context, stage),
        Name::H2spec => suites::run(Suite::H2spec, context, stage),
        Name::Httpwg => suites::run(Suite::Httpwg, context, stage),
        Name::Stories => suites::run(Suite::Stories, context, stage),
        Name::Browser => browser::run(context, stage),
        Name::Bench => cargo::bench(context, stage),
        Name::Schemas => schemas::stage(context, stage),
        Name::PythonUring => python::run(context, stage, "uring"),
        Name::PythonEpoll => python::run(context, stage, "epoll"),
        Name::InteropUring => interop::run(context, stage, "uring"),
        Name::InteropEpoll => interop::run(context, stage, "epoll"),
    }
}

fn check_house(context: &Context, stage: &mut Stage) {
    match tidy::all(&context.root) {
        Ok(findings) => findings.iter().for_each(|finding| stage.fault(finding)),
        Err(failure) => stage.fault(failure),
    }
}

/// Tries to create a small io_uring; returns the reason if the kernel refuses it or
/// `CORESPUN_DENY_URING` forbids it.
pub fn no_uring() -> Option<String> {
    if std::env::var_os("CORESPUN_DENY_URING").is_some_and(|value| value == "1") {
        return Some("CORESPUN_DENY_URING=1 is set".into());
    }
    kernel_refusal()
}

/// Tries to create a small io_uring, for programs that ignore `CORESPUN_DENY_URING`; returns the
/// reason if the kernel refuses.
pub fn kernel_refusal() -> Option<String> {
    let refusal = io_uring::IoUring::new(8).err()?;
    Some(format!("the kernel refuses io_uring: {refusal}"))
}

fn line(outcome: &Outcome) -> String {
    let cases = outcome.count.passed + outcome.count.failed;
    let verdict = match outcome.held {
        false => "FAILED",
        true if cases == 0 && !outcome.count.skipped.is_empty() => "skipped",
        true => "ok",
    };
    let cases = if cases == 0 {
        String::new()
    } else {
        outcome.count.summary()
    };
    format!(
        "  {:14} {:>7.1} s  {verdict:7}  {cases}",
        outcome.name, outcome.seconds
    )
}

fn summarize(outcomes: &[Outcome]) -> bool {
    let mut total = Count::default();
    println!("\nstages:");
    for outcome in outcomes {
        println!("{}", line(outcome));
        outcome.print_remarks();
        total += &outcome.count;
    }
    let seconds: f64 = outcomes.iter().map(|outcome| outcome.seconds).sum();
    println!("  {:14} {seconds:>7.1} s\n", "all");
    for skipped in &total.skipped {
        println!("{skipped}");
    }
    println!("{}", total.summary());
    outcomes.iter().all(|outcome| outcome.held)
}
