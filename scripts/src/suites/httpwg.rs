//! httpwg, whose cases play the client of RFC 9113 against our server.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::report::{Case, Report, Verdict};
use super::tool::{self, Tool};
use super::{build, on_engines};
use crate::failure::Failure;
use crate::process::Server;
use crate::test::{Context, Stage, kernel_refusal};

const SUITE: &str = "httpwg 0.2.5";

const TOOL: Tool = Tool {
    folder: "httpwg-0.2.5",
    programs: &["httpwg"],
};

/// How many cases there are.
const CASES: usize = 107;

/// The most a whole run may take; it takes a tenth of a second.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Runs the suite.
pub fn run(context: &Context, stage: &mut Stage) -> Result<Vec<Report>, Failure> {
    // Whatever our servers are told: the suite has a ring of its own.
    if let Some(refusal) = kernel_refusal() {
        stage.skip("httpwg", format!("it needs io_uring itself: {refusal}"));
        return Ok(Vec::new());
    }
    let programs = match TOOL.install(context, cargo_install) {
        Ok(programs) => programs,
        Err(reason) => {
            stage.skip("httpwg", reason);
            return Ok(Vec::new());
        }
    };
    if !build(context, stage) {
        return Ok(Vec::new());
    }
    on_engines(context, stage, |server, engine| {
        Ok(vec![against(context, &programs, server, engine)?])
    })
}

fn cargo_install(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    // Its time goes into compiling, not into running.
    cargo.args(["install", "--locked", "--debug", "--quiet", "--root"]);
    cargo
        .arg(folder)
        .args(["httpwg-cli", "--version", "=0.2.5"]);
    // Else what it was compiled of would stay in our own target folder.
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

fn against(
    context: &Context,
    programs: &Path,
    server: &Server,
    engine: &str,
) -> Result<Report, Failure> {
    let mut command = Command::new(programs.join("httpwg"));
    command.args(["--address", &server.address, "--frame-timeout", "5000"]);
    // One case after the other: together they hit each other's timeouts.
    command.env("SEQUENTIAL", "1").env("RUST_LOG", "off");
    let log = context.logs.join(format!("httpwg-{engine}.log"));
    let text = tool::output(&mut command, &log, RUN_MAX)?;
    Ok(read(format!("server on {engine}"), &text))
}

/// Reads its lines `✅ Test passed: RFC 9113 :: section :: case`, and `❌ Test failed: …` with the
/// reason behind it.
fn read(subject: String, text: &str) -> Report {
    let mut report = Report {
        suite: SUITE,
        subject,
        expected: CASES,
        summary: String::new(),
        sections: Vec::new(),
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(place) = line.strip_prefix("✅ Test passed: ") {
            push(&mut report, place, Verdict::Passed);
        } else if let Some(place) = line.strip_prefix("❌ Test failed: ") {
            let reason = lines.by_ref().find(|line| !line.trim().is_empty());
            let reason = reason.unwrap_or("no reason given").trim().to_owned();
            push(&mut report, place, Verdict::Failed(reason));
        } else if line.contains(" tests in ") {
            report.summary = summary(line);
        }
    }
    // It runs its cases in the order of a hash map.
    report.sections.sort_by(|a, b| a.name.cmp(&b.name));
    for section in &mut report.sections {
        section.cases.sort_by(|a, b| a.name.cmp(&b.name));
    }
    report
}

fn push(report: &mut Report, place: &str, verdict: Verdict) {
    let mut parts = place.split(" :: ").skip(1);
    let section = parts.next().unwrap_or_default();
    let name = parts.next().unwrap_or_default().to_owned();
    report.section(section).cases.push(Case { name, verdict });
}

/// `Passed 107/107 tests` of its last line, whose figures are in colour.
fn summary(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_colour, rest)| rest));
    }
    let plain = plain.split(" in ").next().unwrap_or_default();
    plain
        .trim_start_matches(|first: char| !first.is_ascii())
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read() {
        let text = "\
Holding 1 connections
✅ Test passed: RFC 9113 :: 5. streams :: sends frames
❌ Test failed: RFC 9113 :: 4. http frames :: sends unknown

   0: Timed out

Location:
✅ Test passed: RFC 9113 :: 5. streams :: idle
🚄 Passed \x1b[1;32m2/3\x1b[0m tests in \x1b[1;33m0.05\x1b[0m seconds against it
❌ Some tests failed
";
        let report = read("x".into(), text);
        assert_eq!(report.summary, "Passed 2/3 tests");
        assert_eq!(report.count(), (2, 3));
        let names: Vec<_> = report.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["4. http frames", "5. streams"]);
        let failed = &report.sections[0].cases[0];
        assert_eq!(failed.verdict, Verdict::Failed("0: Timed out".into()));
        let names: Vec<_> = report.sections[1]
            .cases
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, ["idle", "sends frames"]);
    }
}
