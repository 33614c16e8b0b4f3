//! Heavy calls that keep every window and limit succeed, and the memory that they make the other
//! side hold is bounded. Server and client are processes, so that each has its own peak.

use std::io::{BufRead, BufReader, Write as _, stderr};
use std::process::{Child, Command, Stdio};

use corespun::runtime::Engine;

/// Memory in KiB that one connection may hold: received and queued bytes (16 MiB each), one message
/// of 4 MiB, a window of 64 KiB for each stream, and 12 MiB for the program and decoded messages.
const fn held_kib_max(streams: u64) -> u64 {
    (16 + 16 + 4 + 12) * 1024 + 64 * streams
}

/// Child process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn heavy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heavy"));
    command.args(arguments);
    command
}

/// Starts a server with one shard; returns it with its address.
fn serve(engine: &str) -> (Process, String) {
    let listen = ["serve", "--listen", "127.0.0.1:0", "--shards", "1"];
    let mut command = heavy(&listen);
    command.args(["--engine", engine, "--log", "error"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("a server");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut lines = lines.map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("listening on "));
    let line = line.expect("it listens");
    std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
    let address = line.split(' ').nth(2).expect("an address").to_owned();
    (Process(child), address)
}

/// Returns the resident memory of a process in KiB: `VmRSS` or `VmHWM` (proc(5)).
fn memory_kib(id: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with(field));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    value.and_then(|value| value.parse().ok()).expect("a size")
}

/// Makes the calls: they must all succeed, and the server must not hold too much memory.
fn check(engine: &str, calls: &str, load: &[&str]) {
    let (server, address) = serve(engine);
    let before = memory_kib(server.0.id(), "VmRSS");
    let mut command = heavy(&["call", "--target", &address, "--engine", engine]);
    command.args(["--calls", calls]).args(load);
    let output = command.output().expect("a client");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.starts_with(&format!("{calls} ok, 0 failed")),
        "{engine}: {calls} {load:?}: {said} {told}"
    );
    let streams = calls.parse().expect("a number");
    let peak = memory_kib(server.0.id(), "VmHWM") - before;
    println!("{engine}: {calls} x {load:?}: the server held {peak} KiB; {said}");
    assert!(
        peak <= held_kib_max(streams),
        "{engine}: {calls} {load:?}: the server held {peak} KiB"
    );
    let client = said.lines().nth(1).and_then(|line| line.split(' ').nth(1));
    let client: u64 = client.and_then(|kib| kib.parse().ok()).expect("a size");
    // The memory of its own requests does not count.
    let is_receiving = matches!(load[0], "responses" | "downloads");
    assert!(
        !is_receiving || client <= held_kib_max(streams),
        "{engine}: {calls} {load:?}: the client held {client} KiB"
    );
}

/// Calls of each shape, by their number.
const TABLE: &[(&str, &[&str])] = &[
    ("8", &["requests", "3900000"]),
    ("40", &["requests", "1000000"]),
    ("500", &["requests", "100000"]),
    ("1000", &["requests", "64000"]),
    ("10", &["uploads", "30", "0", "50"]),
    ("40", &["uploads", "30", "2000", "0"]),
    ("8", &["responses", "3900000"]),
    ("40", &["responses", "1000000"]),
    ("500", &["responses", "100000"]),
    ("1000", &["responses", "64000"]),
    ("10", &["downloads", "30", "0", "50"]),
    ("40", &["downloads", "30", "2000", "0"]),
];

#[test]
fn heavy_calls() {
    for (engine, usable) in Engine::candidates() {
        if let Err(error) = usable {
            // Bypasses the capture of the test's output, so that a skipped test is visible.
            let _ = writeln!(stderr(), "SKIPPED heavy_calls ({engine}): {error}");
            continue;
        }
        for (calls, load) in TABLE {
            check(&engine.to_string(), calls, load);
        }
    }
}
