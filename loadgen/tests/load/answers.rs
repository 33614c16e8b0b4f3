//! Tests of error texts, secrets, and results on standard output.

use std::process::{Command, Stdio};

use corespun_runtime::{Address, Engine};
use serde_json::Value;

use crate::server::{Answer, TestServer};
use crate::{alone, command_line, engines, load, scratch};

/// Makes a run; returns exit code, standard output and standard error.
fn program(target: &Address, flags: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corespun-load"));
    command.args(&command_line(target, "--duration 200ms --warmup 0")[1..]);
    let output = command.args(flags).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn the_text_of_failures_is_counted() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Fail("5", "no%20such tenant"));
        let flags = "--duration 200ms --warmup 0 --connections 2";
        let report = load(engine, server.address(), flags).unwrap();
        let [row] = report.failures.as_slice() else {
            panic!("{:?}", report.failures);
        };
        assert_eq!(
            (row.status.as_str(), row.text.as_str()),
            ("NOT_FOUND", "no such tenant")
        );
        assert_eq!(row.calls, report.failed());
        let cases = [
            (Answer::NoStatus, "MISSING_STATUS", "without a grpc-status"),
            (Answer::TrailersOnly("13"), "INTERNAL", "(no message)"),
            (Answer::Page("503"), "UNAVAILABLE", "HTTP 503"),
            (
                Answer::Body(b"\0\0\0\0\x09x"),
                "MALFORMED",
                "whole messages",
            ),
            (Answer::Reset, "UNAVAILABLE", ""),
        ];
        for (answer, status, text) in cases {
            let server = TestServer::start(engine, answer);
            let report = load(engine, server.address(), flags).unwrap();
            let row = &report.failures[0];
            assert_eq!(row.status, status, "{answer:?}");
            assert!(
                row.text.contains(text) && !row.text.is_empty(),
                "{answer:?}: {row:?}"
            );
        }
    }
}

#[test]
fn every_format_has_the_text_and_none_a_secret() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Fail("16", "who is Bearer hunter2?"));
    let formats = ["json", "html", "prometheus", "csv"];
    let files = formats.map(|format| scratch(&format!("secrets.{format}")));
    let outputs = formats.iter().zip(&files);
    let outputs: Vec<_> = outputs
        .map(|(format, file)| format!("--{format}={}", file.display()))
        .collect();
    for secret in [
        &["--metadata", "authorization: Bearer hunter2"][..],
        &["--metadata=authorization:Bearer hunter2"],
        &["-Hauthorization=Bearer hunter2"],
        &["--metadata", "x-a:b", "authorization:Bearer hunter2"],
        &["--token", "hunter2"],
        &["--token=hunter2"],
    ] {
        let flags = outputs
            .iter()
            .map(String::as_str)
            .chain(secret.iter().copied());
        let (code, stdout, stderr) = program(server.address(), &flags.collect::<Vec<_>>());
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("UNAUTHENTICATED: who is"), "{stdout}");
        let texts = files
            .each_ref()
            .map(|file| std::fs::read_to_string(file).unwrap());
        for (format, text) in formats.iter().zip(&texts) {
            assert!(!text.contains("hunter2"), "{secret:?} in {format}");
            let told = text.contains("who is");
            assert_eq!(told, *format != "csv", "{format}: {text}");
        }
        assert!(
            !stdout.contains("hunter2") && !stderr.contains("hunter2"),
            "{stdout}{stderr}"
        );
        let command = secret[0].starts_with("--token");
        let flag = if command { "--token" } else { "--metadata" };
        assert!(texts[0].contains(flag), "{}", texts[0]);
    }
    for file in files {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_result_is_alone_on_standard_output() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let table = scratch("stdout.csv");
    let csv = format!("--csv={}", table.display());
    for out in ["-", "/dev/stdout"] {
        let flags = ["--json", out, &csv, "--fail-if", "errors>0"];
        let (code, stdout, stderr) = program(server.address(), &flags);
        assert_eq!(code, 0, "{stderr}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert!(report["ok"].as_u64().unwrap() > 0);
        assert!(report["latency_us"]["mean"].as_f64().unwrap() > 0.0);
        assert!(stderr.contains("calls    ok") && stderr.contains("not errors>0: holds"));
        assert!(
            std::fs::read_to_string(&table)
                .unwrap()
                .starts_with("at_s,")
        );
    }
    let starts = [
        ("--csv", "at_s,"),
        ("--prometheus", "# HELP "),
        ("--html", "<!doctype html>"),
        ("--hgrm", "       Value"),
        ("--hdr-log", "#[Logged"),
        ("--record", "#"),
    ];
    for (flag, start) in starts {
        let (code, stdout, stderr) = program(server.address(), &[flag, "-"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stdout.starts_with(start),
            "{flag}: {}",
            &stdout[..stdout.len().min(200)]
        );
        assert!(stderr.contains("calls    ok"), "{flag}: {stderr}");
    }
    let (both, json) = (scratch("both.json"), format!("--json={}", table.display()));
    let again = format!("--json={}", both.display());
    let (code, stdout, stderr) = program(server.address(), &[&again, &csv, "--json", "-"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(std::fs::read_to_string(&both).unwrap(), stdout);
    for (flags, wanted) in [
        (
            &["--json", "-", "--csv", "-"][..],
            "--csv \"-\": --json writes to the same file",
        ),
        (
            &["--json", "-", "--record", "/dev/stdout"],
            "--json writes to the same file",
        ),
        (&[&json, &csv], "--json writes to the same file"),
        (&[&csv, &csv], "--csv writes to the same file"),
        (&["--svg", "-"], "give a folder"),
    ] {
        let (code, stdout, stderr) = program(server.address(), flags);
        assert_eq!((code, stdout.as_str()), (1, ""), "{flags:?}");
        assert!(stderr.contains(wanted), "{flags:?}: {stderr}");
    }
    assert!(!std::path::Path::new("-").exists());
    for file in [both, table] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_number_of_calls_is_made() {
    let _alone = alone();
    for engine in engines() {
        for (flags, calls) in [
            ("-n 1", 1),
            ("--calls 1000 --connections 3 --streams 4 --cores 2", 1000),
            ("-n 30 --connections 2 --rate 100", 30),
            ("-n 7 --rate 3000", 7),
        ] {
            let server = TestServer::start(engine, Answer::Good);
            let report = load(engine, server.address(), flags).unwrap();
            assert_eq!(
                (report.counts.ok, server.calls()),
                (calls, calls),
                "{flags}"
            );
            assert!(
                !report.interrupted && report.setup.duration_s < 5.0,
                "{flags}"
            );
            assert!(report.latency_us.mean.unwrap() > 0.0);
        }
        let server = TestServer::start(engine, Answer::Never);
        let flags = "-n 5 --duration 200ms";
        let report = load(engine, server.address(), flags).unwrap();
        assert_eq!(
            (report.counts.ok, report.counts.censored),
            (0, 1),
            "{report:?}"
        );
    }
}

#[test]
fn a_condition_that_cannot_fail_ends_nothing() {
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    for (condition, wanted) in [
        ("errors>5", "a share is 0 to 1, or 0% to 100%"),
        ("cpu_us>5", "--target-pid"),
        ("lag.p50>5ms", "no lag"),
    ] {
        let (code, _, stderr) = program(server.address(), &["--fail-if", condition]);
        assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
        assert!(stderr.contains(wanted), "{stderr}");
    }
    assert_eq!(server.calls(), 0);
}
