//! httpwg, whose cases act as clients of our server, by RFC 9113.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::report::{Case, Report, Verdict};
use super::tool::{self, Tool};
use super::{against_servers, build, engines};
use crate::failure::Failure;
use crate::process::Server;
use crate::test::{Context, Stage, kernel_refusal};
use crate::workspace;

const SUITE: &str = "httpwg 0.2.5";

const TOOL: Tool = Tool {
    folder: "httpwg-0.2.5",
    programs: &["httpwg"],
};

/// Number of cases.
const CASES: usize = 107;

/// Longest time of a whole run; it takes a tenth of a second.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Runs the suite.
pub fn run(context: &Context, stage: &mut Stage) -> Result<Vec<Report>, Failure> {
    // Independent of the engine of our servers, because the suite uses io_uring itself.
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
    let engines = engines("httpwg", context, stage);
    against_servers(context, &engines, |server, engine| {
        Ok(vec![against(context, &programs, server, engine)?])
    })
}

fn cargo_install(folder: &Path) -> Command {
    let mut cargo = workspace::cargo(Path::new("."));
    // Most of its time is compilation.
    cargo.args(["install", "--locked", "--debug", "--quiet", "--root"]);
    cargo
        .arg(folder)
        .args(["httpwg-cli", "--version", "=0.2.5"]);
    // Otherwise its build output would stay in our own target folder.
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
    command.args([
        "--address",
        &server.address,
        "--frame-timeout",
        "5000",
        "--verbose",
    ]);
    // One case after the other, because concurrent cases exceed each other's timeouts.
    command.env("SEQUENTIAL", "1").env("RUST_LOG", "off");
    let log = context.logs.join(format!("httpwg-{engine}.log"));
    let text = tool::output(&mut command, &log, RUN_MAX)?;
    Ok(read(format!("server on {engine}"), &text))
}

/// Parses the lines `🔷 Running test: RFC 9113 :: section :: case` and `✅ Test passed: …`, or `❌
/// Test failed: …` followed by the reason, or `Message: …` of a case that panicked.
fn read(subject: String, text: &str) -> Report {
    let mut report = Report {
        suite: SUITE,
        subject,
        expected: CASES,
        summary: String::new(),
        sections: Vec::new(),
    };
    let text = without_colour(text);
    let mut lines = text.lines();
    // The current case, which has no further output when it panics, and the reason of the panic.
    let (mut running, mut panic) = (None, "it panicked");
    while let Some(line) = lines.next() {
        if let Some(place) = line.strip_prefix("🔷 Running test: ") {
            let before = running.replace(place);
            push(&mut report, before, Verdict::Failed(panic.to_owned()));
            panic = "it panicked";
        } else if let Some(reason) = line.strip_prefix("Message: ") {
            panic = reason.trim();
        } else if line.starts_with("✅ Test passed: ") {
            push(&mut report, running.take(), Verdict::Passed);
        } else if line.starts_with("❌ Test failed: ") {
            let reason = lines.by_ref().find(|line| !line.trim().is_empty());
            let reason = reason.unwrap_or("no reason given").trim().to_owned();
            push(&mut report, running.take(), Verdict::Failed(reason));
        } else if let Some((summary, _seconds)) = line.split_once(" tests in ") {
            let summary = summary.trim_start_matches(|first: char| !first.is_ascii());
            report.summary = format!("{} tests", summary.trim());
        }
    }
    push(&mut report, running, Verdict::Failed(panic.to_owned()));
    // It runs its cases in the order of a hash map.
    report.sections.sort_by(|a, b| a.name.cmp(&b.name));
    for section in &mut report.sections {
        section.cases.sort_by(|a, b| a.name.cmp(&b.name));
    }
    report
}

fn push(report: &mut Report, place: Option<&str>, verdict: Verdict) {
    let Some(place) = place else {
        return;
    };
    let mut parts = place.split(" :: ").skip(1);
    let section = parts.next().unwrap_or_default();
    let name = parts.next().unwrap_or_default().to_owned();
    report.section(section).cases.push(Case { name, verdict });
}

/// Returns a text without terminal colour sequences.
fn without_colour(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_colour, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read() {
        let text = "\
Holding 1 connections
🔷 Running test: RFC 9113 :: 5. streams :: sends frames
✅ Test passed: RFC 9113 :: 5. streams :: sends frames
🔷 Running test: RFC 9113 :: 4. http frames :: sends unknown
❌ Test failed: RFC 9113 :: 4. http frames :: sends unknown

   0: Timed out

Location:
🔷 Running test: RFC 9113 :: 6. frames :: panics
\x1b[31mThe application panicked (crashed).\x1b[0m
Message:  \x1b[36mexpected PING\x1b[0m
🔷 Running test: RFC 9113 :: 5. streams :: idle
✅ Test passed: RFC 9113 :: 5. streams :: idle
🔷 Running test: RFC 9113 :: 6. frames :: panics without a word
🚄 Passed \x1b[1;32m2/5\x1b[0m tests in \x1b[1;33m0.05\x1b[0m seconds against it
❌ Some tests failed
";
        let report = read("x".into(), text);
        assert_eq!(report.summary, "Passed 2/5 tests");
        assert_eq!(report.count(), (2, 5));
        let names: Vec<_> = report.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["4. http frames", "5. streams", "6. frames"]);
        let case = |name: &str, verdict| Case {
            name: name.to_owned(),
            verdict,
        };
        let failed = |name, why: &str| case(name, Verdict::Failed(why.into()));
        let cases: Vec<_> = report.sections.into_iter().flat_map(|s| s.cases).collect();
        let expected = [
            failed("sends unknown", "0: Timed out"),
            case("idle", Verdict::Passed),
            case("sends frames", Verdict::Passed),
            failed("panics", "expected PING"),
            failed("panics without a word", "it panicked"),
        ];
        assert_eq!(cases, expected);
    }
}
