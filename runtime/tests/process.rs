//! Tests that need a process of their own: environment variables and signals.
//!
//! Each test starts this program again in the role of a child. There is no test harness, because a
//! harness has threads that do not block signals.

#[path = "process/deploy.rs"]
mod deploy;
#[path = "process/placement.rs"]
mod placement;
#[path = "kit/service.rs"]
mod service;
#[path = "process/warnings.rs"]
mod warnings;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use corespun_runtime::{Address, Engine, LocalConfig, LocalShard, Notice, Runtime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use service::{Manner, any_port, start_echo};

const ROLE: &str = "CORESPUN_TEST_ROLE";

type Part = (&'static str, fn());

const TESTS: [Part; 15] = [
    (
        "a_refused_ring_falls_back_for_all_shards",
        a_refused_ring_falls_back_for_all_shards,
    ),
    (
        "the_environment_decides_for_auto_only",
        the_environment_decides_for_auto_only,
    ),
    (
        "a_signal_drains_and_ends_well",
        a_signal_drains_and_ends_well,
    ),
    ("a_second_signal_ends_it_now", a_second_signal_ends_it_now),
    ("a_delayed_drain_serves_on", a_delayed_drain_serves_on),
    (
        "a_second_signal_cuts_a_delay_short",
        a_second_signal_cuts_a_delay_short,
    ),
    (
        "a_hangup_is_told_to_those_who_asked",
        a_hangup_is_told_to_those_who_asked,
    ),
    (
        "signals_without_a_use_end_nothing",
        signals_without_a_use_end_nothing,
    ),
    (
        "little_locked_memory_means_epoll_for_all_shards",
        deploy::little_locked_memory_means_epoll_for_all_shards,
    ),
    (
        "the_soft_limit_of_descriptors_is_raised",
        deploy::the_soft_limit_of_descriptors_is_raised,
    ),
    (
        "a_lack_of_descriptors_is_told_once_a_second",
        deploy::a_lack_of_descriptors_is_told_once_a_second,
    ),
    (
        "shards_are_left_to_the_scheduler",
        placement::shards_are_left_to_the_scheduler,
    ),
    (
        "two_servers_of_one_shard_share_the_machine",
        placement::two_servers_of_one_shard_share_the_machine,
    ),
    (
        "a_second_process_on_the_port_is_refused",
        a_second_process_on_the_port_is_refused,
    ),
    (
        "a_port_is_free_right_after_a_kill",
        a_port_is_free_right_after_a_kill,
    ),
];

const ROLES: [Part; 8] = [
    ("falls_back", child_falls_back),
    ("obeys", child_obeys),
    ("complains", child_complains),
    ("serves", child_serves),
    ("serves_once", deploy::child_serves_once),
    ("wants_uring", deploy::child_wants_uring),
    ("counts_descriptors", deploy::child_counts_descriptors),
    ("burns", placement::child_burns),
];

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        let found = ROLES.iter().find(|(name, _)| *name == role);
        return found.expect("a role we know").1();
    }
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let mut passed = 0;
    for (name, test) in TESTS {
        if filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
        {
            test();
            println!("test {name} ... ok");
            passed += 1;
        }
    }
    println!("\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured");
}

fn child(role: &str, variables: &[(&str, &str)]) -> Child {
    let program = std::env::current_exe().expect("our own path");
    spawn(Command::new(program), role, variables)
}

/// Starts this program in a role, by a command that leads to it.
fn spawn(mut command: Command, role: &str, variables: &[(&str, &str)]) -> Child {
    command
        // What the whole run was asked to use must not decide what these children show.
        .env_remove("CORESPUN_ENGINE")
        .env_remove("CORESPUN_DENY_URING")
        .envs(variables.iter().copied())
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child")
}

fn dial(address: &Address) -> TcpStream {
    let stream = TcpStream::connect(address.to_string()).expect("connect");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    stream
}

/// Waits for the child to end well.
fn succeed(mut child: Child) {
    assert!(child.wait().expect("it ends").success());
}

fn a_refused_ring_falls_back_for_all_shards() {
    succeed(child("falls_back", &[("CORESPUN_DENY_URING", "1")]));
}

fn child_falls_back() {
    let builder = Runtime::builder().shards(2);
    let running = start_echo(builder, &[any_port()], Manner::default());
    assert_eq!(running.engine(), Engine::Epoll);
    let mut stream = dial(&running.addresses()[0]);
    stream.write_all(b"over epoll").expect("send");
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).expect("receive");
    let config = LocalConfig {
        engine: Engine::Uring,
        cpu: None,
    };
    let error = LocalShard::new(config)
        .err()
        .expect("forced, so no fallback");
    assert_eq!(
        error.to_string(),
        "failed to set up engine uring: Operation not permitted (os error 1)"
    );
}

fn the_environment_decides_for_auto_only() {
    succeed(child("obeys", &[("CORESPUN_ENGINE", "epoll")]));
    succeed(child("complains", &[("CORESPUN_ENGINE", "iocp")]));
}

fn child_obeys() {
    let shard = LocalShard::new(LocalConfig::default()).expect("a shard");
    assert_eq!(shard.engine(), Engine::Epoll);
    let forced = LocalConfig {
        engine: Engine::Uring,
        cpu: None,
    };
    match LocalShard::new(forced) {
        Ok(shard) => assert_eq!(shard.engine(), Engine::Uring),
        Err(error) => println!("SKIPPED forced uring: {error}"),
    }
}

fn child_complains() {
    let error = LocalShard::new(LocalConfig::default())
        .err()
        .expect("a typo");
    assert!(error.to_string().contains("\"iocp\""), "{error}");
}

type Output = Lines<BufReader<ChildStdout>>;

/// Starts a child that serves until a signal, and answers it with its address.
fn serving(variables: &[(&str, &str)]) -> (Child, Address) {
    started("serves", variables)
}

fn started(role: &str, variables: &[(&str, &str)]) -> (Child, Address) {
    let program = std::env::current_exe().expect("our own path");
    let (child, address, _) = listening(Command::new(program), role, variables);
    (child, address)
}

/// Starts a child that serves until a signal, and returns it with its address and its output.
fn serving_aloud(variables: &[(&str, &str)]) -> (Child, Address, Output) {
    let program = std::env::current_exe().expect("our own path");
    listening(Command::new(program), "serves", variables)
}

fn listening(command: Command, role: &str, variables: &[(&str, &str)]) -> (Child, Address, Output) {
    let mut child = spawn(command, role, variables);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let address = lines.find_map(|line| {
        let line = line.expect("text");
        let (_, address) = line.split_once("listening on ")?;
        Some(address.parse().expect("an address"))
    });
    (child, address.expect("the child listens"), lines)
}

fn child_serves() {
    if std::env::var_os("WARNINGS").is_some() {
        warnings::Warnings::print();
    }
    let stubborn = std::env::var_os("STUBBORN").is_some();
    let manner = Manner {
        ignore_drain: stubborn,
        ..Manner::default()
    };
    let delay = std::env::var("DELAY_MS").map_or(0, |text| text.parse().expect("a number"));
    let mut builder = Runtime::builder()
        .shards(2)
        .drain_delay(Duration::from_millis(delay))
        .catch_signals();
    if std::env::var_os("HANGUP").is_some() {
        builder = builder.catch_hangup();
    }
    let address = std::env::var("ADDRESS").map_or(any_port(), |text| text.parse().expect("ours"));
    let running = start_echo(builder, &[address], manner);
    println!("listening on {}", running.addresses()[0]);
    let told = |notice| {
        if notice == Notice::Hangup {
            println!("told of a hangup");
        }
    };
    running.wait_for_signal(told).expect("a clean end");
    // Ended here: the test harness has threads that do not block signals.
    std::process::exit(0);
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("the child lives");
}

fn a_signal_drains_and_ends_well() {
    for kind in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut child, address) = serving(&[]);
        let mut stream = dial(&address);
        stream.write_all(b"hello").expect("send");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("receive");
        signal(&child, kind);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("an orderly end");
        drop(stream);
        assert!(child.wait().expect("it ends").success(), "{kind}");
    }
}

fn a_second_signal_ends_it_now() {
    let (mut child, address) = serving(&[("STUBBORN", "1")]);
    let mut stream = dial(&address);
    stream.write_all(b"hello").expect("send");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("receive");
    signal(&child, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().expect("known").is_none(), "it is draining");
    let began = Instant::now();
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
    assert!(began.elapsed() < Duration::from_secs(5));
}

fn a_delayed_drain_serves_on() {
    let (mut child, address) = serving(&[("DELAY_MS", "700")]);
    let began = Instant::now();
    signal(&child, Signal::SIGTERM);
    // A new connection, after the signal.
    std::thread::sleep(Duration::from_millis(100));
    let mut stream = dial(&address);
    stream.write_all(b"hello").expect("send");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("receive");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an orderly end");
    assert!(began.elapsed() >= Duration::from_millis(700));
    drop(stream);
    assert!(child.wait().expect("it ends").success());
}

fn a_second_signal_cuts_a_delay_short() {
    let (mut child, _) = serving(&[("DELAY_MS", "60000")]);
    signal(&child, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().expect("known").is_none(), "it waits");
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
}

fn a_hangup_is_told_to_those_who_asked() {
    let (mut child, address, mut output) = serving_aloud(&[("HANGUP", "1")]);
    let mut stream = dial(&address);
    for _ in 0..2 {
        signal(&child, Signal::SIGHUP);
        let line = output.next().expect("a line").expect("text");
        assert_eq!(line, "told of a hangup");
    }
    stream.write_all(b"hello").expect("send");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("still served");
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
    // Under nohup, which has it ignored, a hangup is told too: settings may change there as well.
    let mut command = Command::new("sh");
    let program = std::env::current_exe().expect("our own path");
    command
        .args(["-c", "trap '' HUP; exec \"$0\""])
        .arg(program);
    let (mut child, _, mut output) = listening(command, "serves", &[("HANGUP", "1")]);
    signal(&child, Signal::SIGHUP);
    let line = output.next().expect("a line").expect("text");
    assert_eq!(line, "told of a hangup");
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
}

fn signals_without_a_use_end_nothing() {
    let (mut child, address) = serving(&[("STUBBORN", "1")]);
    let mut stream = dial(&address);
    for useless in [
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGVTALRM,
        Signal::SIGIO,
        Signal::SIGPWR,
        Signal::SIGPIPE,
        Signal::SIGXFSZ,
    ] {
        signal(&child, useless);
        stream.write_all(b"hello").expect("send");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("still served");
    }
    // A drain is neither cut short by them nor kept from being cut short by what ends it.
    signal(&child, Signal::SIGTERM);
    signal(&child, Signal::SIGUSR1);
    stream.write_all(b"hello").expect("send");
    stream
        .read_exact(&mut [0; 5])
        .expect("the drain lets it finish");
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().expect("known").is_none(), "it is draining");
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
}

fn a_second_process_on_the_port_is_refused() {
    let (mut child, address) = serving(&[]);
    let builder = Runtime::builder().shards(2).listen(address.clone());
    let error = builder.start(|_| Err("unused".into()));
    let error = error.expect_err("the port is taken").to_string();
    assert_eq!(
        error,
        format!("failed to listen on {address}: Address already in use (os error 98)")
    );
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
}

fn a_port_is_free_right_after_a_kill() {
    let mut address = any_port().to_string();
    for _ in 0..5 {
        let (mut child, bound) = serving(&[("ADDRESS", &address)]);
        let mut stream = dial(&bound);
        stream.write_all(b"hello").expect("send");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("receive");
        child.kill().expect("the child lives");
        child.wait().expect("it ends");
        address = bound.to_string();
    }
}
