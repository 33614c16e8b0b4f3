//! Tests of commands other than `run`: output, files and exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use corespun_runtime::{Address, Engine};
use serde_json::Value;

use crate::server::{Answer, TestServer};
use crate::{alone, schema};

pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = path.join(format!("{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the program; returns its exit code and output.
pub fn program(line: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_corespun-load"))
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = [stdout, stderr].concat();
    (
        status.code().unwrap_or(-1),
        String::from_utf8(text).unwrap(),
    )
}

fn what(flags: &str) -> String {
    let schema = schema().display().to_string();
    format!("--proto {schema} --method user.UserService/GetUser {flags}")
}

pub fn at(target: &Address, flags: &str) -> String {
    what(&format!("--target {target} {flags}"))
}

#[test]
fn a_run_is_shown_in_every_format_and_merged_and_judged() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let folder = Folder::new("formats");
    let path = |name: &str| folder.path(name);
    let flags = format!(
        "--rate 1500 --connections 2 --streams 64 --duration 1s --warmup 200ms --quiet \
         --json {} --html {} --csv {} --prometheus {} --hgrm {} --hdr-log {} --svg {}",
        path("a.json"),
        path("a.html"),
        path("a.csv"),
        path("a.prom"),
        path("a.hgrm"),
        path("a.hlog"),
        path("svg"),
    );
    let (code, text) = program(&format!("run {}", at(server.address(), &flags)));
    assert_eq!(code, 0, "{text}");
    assert!(folder.text("a.html").contains("<h1>"));
    assert!(folder.text("a.csv").lines().count() >= 2);
    assert!(
        folder
            .text("a.prom")
            .contains("corespun_load_latency_seconds_count")
    );
    assert!(folder.text("a.hgrm").contains("Total count"));
    assert!(folder.text("a.hlog").contains("Tag=first_byte,"));
    assert!(folder.text("svg/percentiles.svg").starts_with("<svg"));

    let (a, both) = (path("a.json"), path("both.json"));
    let (code, text) = program(&format!("merge {a} {a} --json {both}"));
    assert_eq!(code, 0, "{text}");
    let ok = |name: &str| folder.json(name)["ok"].as_u64().unwrap();
    assert_eq!(ok("both.json"), 2 * ok("a.json"));
    let (code, text) = program(&format!("report {a} --csv {}", path("again.csv")));
    assert_eq!(
        (code, folder.text("again.csv")),
        (0, folder.text("a.csv")),
        "{text}"
    );

    assert_eq!(program(&format!("check {a} --fail-if p999>1ms")).0, 3);
    let (code, text) = program(&format!("check {a} --fail-if p98>1ms"));
    assert_eq!(code, 1, "{text}");
    let (code, text) = program(&format!("check {} --fail-if rps>1", path("a.csv")));
    assert!(code == 1 && text.contains("a.csv"), "{text}");
}

#[test]
fn a_failed_condition_is_an_exit_code() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::NoStatus);
    let flags = "--duration 200ms --warmup 0s --connections 2 --fail-if errors>0.1%";
    let (code, text) = program(&format!("run {}", at(server.address(), flags)));
    // A machine under load may have had no CPU left for the generator, which is told apart.
    assert!(
        code == 2 || (code == 3 && text.contains("generator")),
        "{code}: {text}"
    );
    assert!(text.contains("errors>0.1%: FAILS"), "{text}");
    assert!(text.contains("warning: target errors"), "{text}");
}

#[test]
fn a_sweep_measures_its_grid() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let folder = Folder::new("sweep");
    let flags = format!(
        "--connections 1,2 --streams 4 --rate closed,200 --duration 150ms --warmup 20ms \
         --pause 1ms --json {} --html {}",
        folder.path("s.json"),
        folder.path("s.html")
    );
    let (code, text) = program(&format!("sweep {}", at(server.address(), &flags)));
    assert_eq!(code, 0, "{text}");
    let points = folder.json("s.json")["points"].as_array().unwrap().clone();
    assert_eq!(points.len(), 4);
    assert!(points[0]["rate"].is_null() && points[3]["rate"].as_f64().unwrap() > 150.0);
    assert!(folder.text("s.html").contains("Latency against load"));
    let flags = "--streams 1,4 --duration 150ms --warmup 20ms --fail-if rps<1e9";
    let (code, text) = program(&format!("sweep {}", at(server.address(), flags)));
    assert_eq!((code, text.matches("FAILS").count()), (2, 2), "{text}");
    let (code, text) = program(&format!(
        "sweep {}",
        at(server.address(), "--fail-if nonsense")
    ));
    assert!(
        code == 1 && text.contains("--fail-if \"nonsense\""),
        "{text}"
    );
}

#[test]
fn a_search_finds_a_rate() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let folder = Folder::new("search");
    let flags = format!(
        "--slo p50=400ms --rate 500 --precision 4 --probe 150ms --duration 300ms --warmup 20ms \
         --connections 2 --streams 32 --json {}",
        folder.path("s.json")
    );
    let (code, text) = program(&format!("search {}", at(server.address(), &flags)));
    assert_eq!(code, 0, "{text}");
    let found = folder.json("s.json");
    let probes = found["probes"].as_array().unwrap();
    assert!(
        probes.len() >= 3 && probes[0]["failure"].is_null(),
        "{text}"
    );
    let again = format!(
        "report {0} {0} --name s --name t --svg {1}",
        folder.path("s.json"),
        folder.path("svg")
    );
    let (code, text) = program(&again);
    assert_eq!(code, 0, "{text}");
    assert!(
        folder
            .text("svg/s-latency-against-load.svg")
            .starts_with("<svg")
    );
    let (code, text) = program(&format!("search {}", at(server.address(), "--slo p98=1ms")));
    assert!(code == 1 && text.contains("--slo \"p98=1ms\""), "{text}");
}

#[test]
fn two_servers_are_compared() {
    let _alone = alone();
    let (a, b) = (
        TestServer::start(Engine::Epoll, Answer::Good),
        TestServer::start(Engine::Epoll, Answer::Good),
    );
    let folder = Folder::new("compare");
    let flags = format!(
        "--pairs 6 --noise-pairs 6 --duration 100ms --warmup 20ms --connections 2 --streams 4 \
         --a-name one --b-name two --json {} --html {}",
        folder.path("c.json"),
        folder.path("c.html")
    );
    let line = format!("compare {} {} {}", a.address(), b.address(), what(&flags));
    let (code, text) = program(&line);
    assert_eq!(code, 0, "{text}");
    let found = folder.json("c.json");
    assert_eq!(found["slices"].as_array().unwrap().len(), 24);
    assert!(found["verdict"].as_str().unwrap().contains("one"), "{text}");
    assert!(found["metrics"][0]["noise"].is_number(), "{text}");
    assert!(folder.text("c.html").contains("one beside two"));
    let page = folder.path("c.html");
    let again = format!(
        "report {page} {} --csv {}",
        folder.path("c.json"),
        folder.path("c.csv")
    );
    let (code, text) = program(&again);
    assert_eq!(code, 0, "{text}");
    let rows = folder.text("c.csv");
    assert!(
        rows.contains("c: one\"") && rows.contains(": two\""),
        "{rows}"
    );
    let odd = line.replace("--pairs 6", "--pairs 7");
    let (code, text) = program(&odd);
    assert!(code == 1 && text.contains("--pairs \"7\""), "{text}");
}

#[test]
fn the_generator_is_calibrated() {
    let _alone = alone();
    let folder = Folder::new("calibrate");
    let json = folder.path("c.json");
    let (code, text) = program(&format!(
        "calibrate --duration 300ms --warmup 50ms --json {json}"
    ));
    assert_eq!(code, 0, "{text}");
    let found = folder.json("c.json");
    assert!(found["null"]["ok"].as_u64().unwrap() > 1000, "{text}");
    assert_eq!(found["null"]["failed"], serde_json::json!({}), "{text}");
    assert!(found["echo"]["rps"].as_f64().unwrap() > 1000.0, "{text}");
}
