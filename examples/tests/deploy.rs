//! Example servers in operation: logs that nobody reads, addresses in use, little memory.

#[path = "deploy/memory.rs"]
mod memory;
#[path = "deploy/program.rs"]
mod program;

use std::io::{BufRead, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corespun::Request;
use corespun::runtime::{LocalConfig, LocalShard, timeout};
use corespun_examples::user::UserRequest;
use corespun_examples::user::user_service_client::UserServiceClient;
use nix::sys::signal::Signal;

use program::{Folder, Program, TIMEOUT, each_engine};

/// Makes `count` calls, one after another; all must succeed.
fn call(address: &str, count: usize) {
    let mut shard = LocalShard::new(LocalConfig::default()).expect("a shard");
    shard.block_on(async {
        let calls = async {
            let client = UserServiceClient::connect(address)
                .await
                .expect("connected");
            for _ in 0..count {
                let asked = client.get_user(Request::new(UserRequest { id: 1 }));
                asked.await.expect("an answer");
            }
        };
        timeout(TIMEOUT, calls).await.expect("in time");
    });
}

#[test]
fn a_log_whose_reader_left_ends_nothing() {
    each_engine("a_log_whose_reader_left_ends_nothing", |engine| {
        for filter in ["info", "debug"] {
            let mut program = Program::users(&["--engine", engine, "--log", filter]);
            drop(program.log.take());
            program.signal(Signal::SIGUSR1);
            call(&program.address, 3);
            program.signal(Signal::SIGTERM);
            assert_eq!(program.wait().code(), Some(0), "--log {filter}");
        }
    });
}

#[test]
fn a_log_that_nobody_reads_delays_nothing() {
    each_engine("a_log_that_nobody_reads", |engine| {
        // The pipe is full after a few calls, and the memory for waiting lines after more.
        let folder = Folder::new();
        let flags = ["--listen", "127.0.0.1:0", "--engine", engine, "--db"];
        let mut command = Program::command("users", &flags);
        // Each call is then a line in the log, with its span.
        command
            .arg(folder.path().join("users.db"))
            .env("RUST_LOG", "trace");
        let mut program = Program::spawn(command, Some(folder));
        let mut log = program.log.take().expect("piped");
        call(&program.address, 3000);
        program.signal(Signal::SIGTERM);
        assert_eq!(program.wait().code(), Some(0));
        // The pipe is full: more was logged than was read.
        let mut text = String::new();
        log.read_to_string(&mut text).expect("text");
        assert!(text.len() >= 32_000, "only {} bytes of log", text.len());
    });
}

#[test]
fn a_taken_port_is_found_before_the_database_is_filled() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = Folder::new();
    let database = folder.path().join("users.db");
    let output = Program::command("users", &["--listen", &address, "--db"])
        .arg(&database)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    let expected =
        format!("users: failed to listen on {address}: Address already in use (os error 98)");
    assert!(text.lines().any(|line| line == expected), "{text}");
    assert!(!database.exists(), "it was filled in vain");
}

#[test]
fn an_abstract_socket_serves_without_a_file() {
    let name = format!("unix:@corespun-deploy-{}", std::process::id());
    let mut program = Program::listening("users", &name, &[]);
    assert_eq!(program.address, name);
    call(&program.address, 1);
    assert!(
        UnixStream::connect(&name["unix:".len()..]).is_err(),
        "there is a file"
    );
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn the_interop_server_listens_on_both_ip_versions() {
    let mut program = Program::start("interop-server", &["--port", "0"]);
    let port = program
        .address
        .rsplit_once(':')
        .expect("a port")
        .1
        .to_owned();
    for host in ["127.0.0.1", "[::1]"] {
        if host == "[::1]" && TcpListener::bind("[::1]:0").is_err() {
            println!("SKIPPED the_interop_server_listens_on_both_ip_versions: no IPv6 here");
            continue;
        }
        let stream = std::net::TcpStream::connect(format!("{host}:{port}"));
        stream.expect(host).write_all(b"PRI").expect("send");
    }
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
}

/// Returns `true` if this process, and so any that it starts, ignores the signal.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(line.expect("a mask").trim(), 16).expect("a number");
    ignored & 1 << (signal as u32 - 1) != 0
}

#[test]
fn useless_signals_are_told_and_end_nothing() {
    let mut program = Program::users(&[]);
    for signal in [
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
    ] {
        if is_ignored(signal) {
            // As under nohup: the program inherits that, and so never receives the signal.
            println!("SKIPPED useless_signals.{signal}: this process was started ignoring it");
            continue;
        }
        program.signal(signal);
        let mut log = program.log.as_mut().expect("piped").lines();
        let line = log.find(|line| {
            line.as_ref()
                .is_ok_and(|line| line.contains(signal.as_str()))
        });
        line.expect("a line about it").expect("text");
        call(&program.address, 1);
    }
    // A second signal ends at once what a first would only drain after its delay.
    program.signal(Signal::SIGTERM);
    program.until("about to drain");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait_for(Duration::from_secs(20)).code(), Some(0));
}
