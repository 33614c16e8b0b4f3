//! Tests of reports shown together, and of calls compared with a raw echo.

use std::collections::HashSet;

use corespun_runtime::Engine;

use crate::alone;
use crate::commands::{Folder, at, program};
use crate::server::{Answer, TestServer};

const RUN: &str = "--duration 200ms --warmup 20ms --connections 2 --streams 4 --quiet";

#[test]
fn findings_are_shown_beside_each_other() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let folder = Folder::new("beside");
    let path = |name: &str| folder.path(name);
    let made = |command: &str, flags: &str, json: &str| {
        let flags = format!("{flags} --json {}", path(json));
        let (code, text) = program(&format!("{command} {}", at(server.address(), &flags)));
        assert_eq!(code, 0, "{text}");
    };
    made("run", &format!("{RUN} --rate 2000"), "one.json");
    made("run", RUN, "two.json");
    made(
        "sweep",
        &format!("{RUN} --rate closed,500 --pause 1ms"),
        "grid.json",
    );
    let (one, two, grid) = (path("one.json"), path("two.json"), path("grid.json"));
    let (code, text) = program(&format!(
        "report {one} {grid} {two} --html {} --csv {} --prometheus {} --json {} --svg {} \
         --fail-if rps<1",
        path("all.html"),
        path("all.csv"),
        path("all.prom"),
        path("all.json"),
        path("svg")
    ));
    // A busy machine makes the generator late, which it says.
    let late = text.contains("invalid measurement: generator ");
    assert_eq!(code, if late { 3 } else { 0 }, "{text}");
    assert_eq!(text.matches(": not rps<1: holds").count(), 4, "{text}");
    assert!(!text.contains('…'), "a pipe cuts nothing: {text}");
    assert!(text.contains("grid: 2 points, "), "{text}");
    let metrics = folder.text("all.prom");
    let rates = metrics
        .lines()
        .filter(|line| line.starts_with("corespun_load_rate{"));
    let keys: HashSet<_> = rates.map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(keys.len(), 4, "two runs and two points: {metrics}");
    let html = folder.text("all.html");
    assert!(html.contains("2 runs and 1 sweep, shown together."));
    assert!(html.contains("All runs") && html.contains("grid · Sweep"));
    let names: Vec<_> = folder.text("all.csv").lines().map(name_of).collect();
    assert_eq!(names, ["name", "one", "grid", "grid", "two"]);
    for chart in ["percentiles", "grid-latency-against-load"] {
        assert!(folder.text(&format!("svg/{chart}.svg")).starts_with("<svg"));
    }

    // What was put together is a report too, and its findings can be shown with others.
    let (code, text) = program(&format!(
        "report {} {one} --html {}",
        path("all.json"),
        path("more.html")
    ));
    assert_eq!(code, 0, "{text}");
    assert!(folder.text("more.html").contains("3 runs and 1 sweep"));
    let (code, text) = program(&format!("report {one} {two} --name a --name b"));
    assert!(
        code == 0 && text.contains("\na   ") && text.contains("\nb   "),
        "{text}"
    );
}

fn name_of(line: &str) -> String {
    let name = line.split(',').next().unwrap_or_default();
    name.trim_matches('"').to_owned()
}

#[test]
fn what_is_no_report_is_named() {
    let folder = Folder::new("foreign");
    let foreign = folder.path("notes.json");
    for (content, wanted) in [
        ("{\"a\": 1}", "no format version"),
        ("not even JSON", "not a report of corespun-load"),
        (
            "{\"format\": 1, \"kind\": \"run\"}",
            "not a report of corespun-load",
        ),
        ("{\"format\": 2}", "format 2, not 1"),
    ] {
        std::fs::write(&foreign, content).unwrap();
        for line in [
            format!("report {foreign} {foreign}"),
            format!("report /nowhere/a.json --calibration {foreign}"),
        ] {
            let (code, text) = program(&line);
            assert_eq!((code, text.lines().count()), (1, 1), "{line}: {text}");
            assert!(
                text.contains(&foreign) && text.contains(wanted),
                "{line}: {text}"
            );
        }
    }
    let (code, text) = program("report a.json b.json --name one");
    assert!(code == 1 && text.contains("--name \"one\""), "{text}");
}

#[test]
fn calls_are_held_against_the_raw_echo() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let folder = Folder::new("echo");
    let path = |name: &str| folder.path(name);
    let calibration = path("calibration.json");
    let (code, text) = program(&format!(
        "calibrate {RUN} --engine epoll --json {calibration}"
    ));
    assert_eq!(code, 0, "{text}");
    // This process is the server, and the generator is another.
    let pid = std::process::id();
    let flags = format!(
        "{RUN} --engine epoll --rate closed,500 --pause 1ms --target-pid {pid} \
         --calibration {calibration} --json {} --html {}",
        path("grid.json"),
        path("grid.html")
    );
    let (code, text) = program(&format!("sweep {}", at(server.address(), &flags)));
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("of echo") && text.contains("raw echo "),
        "{text}"
    );
    assert!(!text.contains("warning: raw echo"), "{text}");
    let echo = &folder.json("calibration.json")["echo"]["server_cpu_us"];
    let held = folder.json("grid.json");
    assert_eq!(&held["raw_echo"]["server_cpu_us"], echo);
    assert_eq!(held["raw_echo"]["connections"], 2);
    let html = folder.text("grid.html");
    assert!(html.contains("class=\"rule faint\"") && html.contains("of a raw echo"));

    let run = format!(
        "{RUN} --engine epoll --connections 1 --target-pid {pid} --json {}",
        path("run.json")
    );
    let run = run.replacen("--connections 2 ", "", 1);
    let (code, text) = program(&format!("run {}", at(server.address(), &run)));
    assert_eq!(code, 0, "{text}");
    let (code, text) = program(&format!(
        "report {} --calibration {calibration}",
        path("run.json")
    ));
    assert!(code == 0 && text.contains("of echo"), "{text}");
    assert!(text.contains("2 connections × 4 messages"), "{text}");
    let (code, text) = program(&format!(
        "report {} --calibration {}",
        path("run.json"),
        path("run.json")
    ));
    assert!(
        code == 1 && text.contains("it is not a calibration"),
        "{text}"
    );
}
