//! Tests of `baseline` with the tonic server.

use std::path::{Path, PathBuf};

use corespun_runtime::Engine;

use crate::alone;
use crate::commands::{Folder, program};
use crate::server::{Answer, TestServer};

/// Returns the tonic server of a workspace build, if it was built.
fn tonic(test: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_BIN_EXE_corespun-load")).with_file_name("bench-tonic");
    if !found.is_file() {
        println!("SKIPPED {test}: {} is not built", found.display());
        return None;
    }
    Some(found)
}

#[test]
fn tonic_is_measured_without_any_set_up() {
    if tonic("tonic_is_measured_without_any_set_up").is_none() {
        return;
    }
    let _alone = alone();
    let folder = Folder::new("baseline");
    let flags = "--duration 300ms --warmup 50ms --connections 2 --streams 4";
    let json = folder.path("b.json");
    let (code, text) = program(&format!("baseline {flags} --json {json}"));
    assert_eq!(code, 0, "{text}");
    let found = folder.json("b.json");
    assert!(found["ok"].as_u64().unwrap() > 100, "{text}");
    assert_eq!(found["failed"], serde_json::json!({}), "{text}");
    assert!(
        found["target_cpu_us_per_rpc"].as_f64().unwrap() > 0.1,
        "{text}"
    );
}

#[test]
fn a_server_is_compared_with_tonic() {
    if tonic("a_server_is_compared_with_tonic").is_none() {
        return;
    }
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let flags = "--duration 100ms --warmup 20ms --connections 2 --pairs 6 --noise-pairs 6";
    let line = format!("baseline --against {} {flags}", server.address());
    let (code, text) = program(&line);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("tonic"), "{text}");
}

#[test]
fn who_has_no_tonic_is_told_how_to_get_it() {
    let folder = Folder::new("alone");
    let own = folder.path("corespun-load");
    std::fs::copy(env!("CARGO_BIN_EXE_corespun-load"), &own).unwrap();
    let output = std::process::Command::new(&own)
        .arg("baseline")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), text.lines().count()),
        (Some(1), 1),
        "{text}"
    );
    let place = folder.path("bench-tonic");
    for wanted in [
        &*place,
        "cargo build --release -p corespun-benches",
        "--server",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
    let (code, text) = program("baseline --server /nowhere/bench-tonic");
    assert!(code == 1 && text.contains("/nowhere/bench-tonic"), "{text}");
}
