//! h2spec, whose cases act as clients of our server, and h2specd, whose cases act as servers.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::report::{Case, Report, Verdict};
use super::tool::{self, Tool};
use super::{against_servers, build, engines};
use crate::failure::Failure;
use crate::process::Server;
use crate::test::{Context, Stage};

/// Name of the suite for servers.
pub const SERVER: &str = "h2spec 2.6.0";
/// Name of the suite for clients.
const CLIENT: &str = "h2specd 2.6.0";

/// Module of release 2.6.0, named by its commit. Go does not accept the tag, because the module's
/// path lacks a `/v2`.
const MODULE: &str = "github.com/summerwind/h2spec";
const VERSION: &str = "v0.0.0-20200804131034-70ac22940108";

const TOOL: Tool = Tool {
    folder: "h2spec-2.6.0",
    programs: &["h2spec", "h2specd"],
};

/// Number of cases: for a server with and without the strict one, and for a client.
const CASES_STRICT: usize = 147;
const CASES_PLAIN: usize = 146;
const CASES_CLIENT: usize = 57;

/// Longest time of a whole run; a run against a server takes a tenth of a second.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Number of attempts to run h2specd to its end. It allows a client three seconds for each case,
/// which a busy machine may exceed, and aborts the run then.
const CLIENT_RUNS: usize = 3;

/// Runs all parts of the suite.
pub fn run(context: &Context, stage: &mut Stage) -> Result<Vec<Report>, Failure> {
    let programs = match TOOL.install(context, |folder| go_install(context, folder)) {
        Ok(programs) => programs,
        Err(reason) => {
            stage.skip("h2spec", reason);
            return Ok(Vec::new());
        }
    };
    if !build(context, stage) {
        return Ok(Vec::new());
    }
    let engines = engines("h2spec", context, stage);
    let mut reports = against_servers(context, &engines, |server, engine| {
        let plain = against_server(context, &programs, server, engine, false)?;
        let strict = against_server(context, &programs, server, engine, true)?;
        Ok(vec![plain, strict])
    })?;
    for engine in engines {
        reports.push(against_client(context, &programs, engine)?);
    }
    Ok(reports)
}

fn go_install(context: &Context, folder: &Path) -> Command {
    let package = |name: &&str| format!("{MODULE}/cmd/{name}@{VERSION}");
    let packages: Vec<_> = TOOL.programs.iter().map(package).collect();
    tool::go_install(context, folder, &packages)
}

fn against_server(
    context: &Context,
    programs: &Path,
    server: &Server,
    engine: &str,
    strict: bool,
) -> Result<Report, Failure> {
    let (host, port) = server.address.rsplit_once(':').unwrap_or_default();
    let mut command = Command::new(programs.join("h2spec"));
    command.args(["--host", host, "--port", port, "--timeout", "5"]);
    let (mode, expected) = match strict {
        true => (", strict", CASES_STRICT),
        false => ("", CASES_PLAIN),
    };
    if strict {
        command.arg("--strict");
    }
    let log = context.logs.join(format!("h2spec-{engine}-{strict}.log"));
    let text = tool::output(&mut command, &log, RUN_MAX)?;
    Ok(read(
        SERVER,
        format!("server on {engine}{mode}"),
        expected,
        &text,
    ))
}

fn against_client(context: &Context, programs: &Path, engine: &str) -> Result<Report, Failure> {
    let log = context.logs.join(format!("h2specd-{engine}.log"));
    for _ in 0..CLIENT_RUNS {
        let port = free_ports(CASES_CLIENT)?;
        let mut command = Command::new(programs.join("h2specd"));
        // It splits the command at spaces, which the path of a folder may contain.
        command.current_dir(context.target.join("debug"));
        let client = format!("./one-call --engine {engine}");
        command.args(["--exec", &client, "--timeout", "1"]);
        command.args(["--from-port", &port.to_string()]);
        let text = tool::output(&mut command, &log, RUN_MAX)?;
        let report = read(CLIENT, format!("client on {engine}"), CASES_CLIENT, &text);
        if !report.summary.is_empty() {
            return Ok(report);
        }
    }
    let why = format!("it gave up {CLIENT_RUNS} times; see {}", log.display());
    Err(Failure::new("run h2specd", why))
}

/// Returns the first of `count` consecutive free ports, below those that the kernel assigns.
fn free_ports(count: usize) -> Result<u16, Failure> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut starts = (20_000..32_000).step_by(100);
    starts
        .find(|&start| (start..start + count as u16).all(free))
        .ok_or_else(|| Failure::new(format!("find {count} free ports"), "some are taken"))
}

/// Parses the output of either program: titles, sections by number, cases by mark.
fn read(suite: &'static str, subject: String, expected: usize, text: &str) -> Report {
    let mut report = Report {
        suite,
        subject,
        expected,
        summary: String::new(),
        sections: Vec::new(),
    };
    let (mut part, mut section) = ("", String::new());
    // Failed cases are printed a second time at the end.
    let (cases, end) = text.split_once("Failures:").unwrap_or((text, text));
    for line in cases.lines() {
        // While a case runs its line is grey, and is written over afterwards.
        let line = line.rsplit('\r').next().unwrap_or_default();
        if let Some(title) = title(line) {
            part = title;
        } else if let Some(number) = section_number(line.trim()) {
            section = format!("{part}/{number}");
        } else if let Some(case) = case(line.trim()) {
            report.section(&section).cases.push(case);
        } else if let Some(detail) = Some(line.trim()).filter(|line| !line.is_empty()) {
            let last = report.sections.last_mut();
            let last = last.and_then(|section| section.cases.last_mut());
            if let Some(Verdict::Failed(why)) = last.map(|case| &mut case.verdict) {
                why.push_str(detail);
                why.push(' ');
            }
        }
    }
    let summary = end.lines().find(|line| line.contains(" tests, "));
    report.summary = summary.unwrap_or_default().trim().to_owned();
    report
}

/// Returns the short name of a part of the suite, from its title.
fn title(line: &str) -> Option<&'static str> {
    match line {
        "Generic tests for HTTP/2 server" => Some("generic"),
        "Hypertext Transfer Protocol Version 2 (HTTP/2)" => Some("http2"),
        "HPACK: Header Compression for HTTP/2" => Some("hpack"),
        "Generic tests for HTTP/2 client" => Some("client"),
        _ => None,
    }
}

/// Returns `6.9.1` of `6.9.1. The Flow-Control Window`.
fn section_number(line: &str) -> Option<&str> {
    let (number, _) = line.split_once(". ")?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    number.split('.').all(digits).then_some(number)
}

/// Parses `✔ 1: title`, or `×`, or no mark for a skipped case.
fn case(line: &str) -> Option<Case> {
    let (verdict, rest) = match line.split_once(' ')? {
        ("✔", rest) => (Verdict::Passed, rest),
        ("×", rest) => (Verdict::Failed(String::new()), rest),
        _ => (Verdict::Skipped, line),
    };
    let (number, name) = rest.split_once(": ")?;
    number.parse::<u32>().ok()?;
    let name = name.to_owned();
    Some(Case { name, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Generic tests for HTTP/2 server
  1. Starting HTTP/2
      1: Sends a preface\r    ✔ 1: Sends a preface

Hypertext Transfer Protocol Version 2 (HTTP/2)
  6. Frame Definitions
    6.9. WINDOW_UPDATE
      6.9.1. The Flow-Control Window
          1: Sends much\r        × 1: Sends much
          -> The endpoint MUST: not
             Expected: GOAWAY
               Actual: Timeout
          2: Sends more\r        2: Sends more

Failures:

      6.9.1. The Flow-Control Window
        × 1: Sends much

Finished in 0.1 seconds
3 tests, 1 passed, 1 skipped, 1 failed
";

    #[test]
    fn its_text_is_read() {
        let report = read(SERVER, "x".into(), 3, TEXT);
        assert_eq!(report.summary, "3 tests, 1 passed, 1 skipped, 1 failed");
        assert_eq!(report.count(), (1, 3));
        let names: Vec<_> = report.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["generic/1", "http2/6.9.1"]);
        let [failed, skipped] = &report.sections[1].cases[..] else {
            panic!("{:?}", report.sections);
        };
        let why = "-> The endpoint MUST: not Expected: GOAWAY Actual: Timeout ";
        assert_eq!(failed.verdict, Verdict::Failed(why.into()));
        assert_eq!(
            (skipped.name.as_str(), &skipped.verdict),
            ("Sends more", &Verdict::Skipped)
        );
    }

    #[test]
    fn a_run_that_gave_up_has_no_summary() {
        let (start, _) = TEXT.split_once("Failures").unwrap();
        assert_eq!(read(SERVER, "x".into(), 3, start).summary, "");
    }
}
