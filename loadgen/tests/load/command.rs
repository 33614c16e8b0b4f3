//! Tests of the program: exit codes, output streams, the JSON file.

use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use corespun_runtime::{Address, Engine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::server::{Answer, TestServer};
use crate::{alone, command_line, scratch};

fn program(target: &Address, flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corespun-load"));
    command.args(&command_line(target, flags)[1..]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn nowhere() -> Address {
    "127.0.0.1:1".parse().unwrap()
}

#[test]
fn a_run_prints_progress_summary_and_json() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let json = scratch("run.json");
    let pid = std::process::id();
    let flags = format!(
        "--rate 500 --connections 2 --duration 1s --warmup 1s --target-pid {pid} --json {}",
        json.display()
    );
    let Output {
        status,
        stdout,
        stderr,
    } = program(server.address(), &flags).output().unwrap();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("1 s (warm-up): ") && stderr.contains("2 s: "),
        "{stderr}"
    );
    assert!(stdout.lines().count() <= 15, "{stdout}");
    assert!(stdout.contains("ok 500, failed 0, censored 0"), "{stdout}");
    assert!(
        stdout.contains("target ") && stdout.contains("n/a"),
        "{stdout}"
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["ok"], 500);
    assert!(
        report["target_cpu_us_per_rpc"].as_f64().unwrap() > 0.1,
        "{report}"
    );
    assert!(
        report["generator_cpu_share"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    std::fs::remove_file(json).unwrap();
}

#[test]
fn control_c_prints_what_was_measured() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let json = scratch("interrupted.json");
    let flags = format!(
        "--rate 100 --duration 60s --warmup 0s --json {}",
        json.display()
    );
    let child = program(server.address(), &flags).spawn().unwrap();
    thread::sleep(Duration::from_millis(1200));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(
        text(&output.stdout).contains("warning: interrupted"),
        "{output:?}"
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(report["ok"].as_u64().unwrap() > 20, "{report}");
    std::fs::remove_file(json).unwrap();
}

#[test]
fn mistakes_are_told_in_one_line() {
    let cases = [
        ("--rate 0", "failed to read --rate \"0\""),
        ("--duration soon", "failed to read --duration \"soon\""),
        ("--json /nowhere/x.json", "failed to write /nowhere/x.json"),
        ("--rate 5..", "failed to read --rate \"5..\""),
        ("--record /nowhere/trace", "failed to write /nowhere/trace"),
        (
            "--method user.UserService/GetUser --data {\"idd\":1}",
            "failed to encode the data as user.UserRequest",
        ),
        ("--method user.UserService/None", "user.UserService/GetUser"),
        ("--engine epoll", "failed to connect to 127.0.0.1:1: "),
        (
            "--target-pid 4194303",
            "failed to read the CPU clock of process 4194303",
        ),
        ("--cpu 4000", "failed to pin"),
        ("--cpu 9999", "failed to read --cpu \"9999\""),
        (
            "--agents 127.0.0.1:1 --target-pid 7",
            "failed to read --target-pid \"7\": not with --agents",
        ),
        (
            "--agents 127.0.0.1:1 --hdr-log x.hlog",
            "failed to read --hdr-log \"x.hlog\": not with --agents",
        ),
    ];
    for (flags, wanted) in cases {
        let output = program(&nowhere(), flags).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{flags}: {stderr}");
        assert!(
            stderr.starts_with("failed to ") && stderr.contains(wanted),
            "{flags}: {stderr}"
        );
        assert!(output.stdout.is_empty());
    }
    let json = scratch("never.json");
    let flags = format!("--engine epoll --json {}", json.display());
    assert_eq!(
        program(&nowhere(), &flags).output().unwrap().status.code(),
        Some(1)
    );
    assert!(!json.exists());
}
