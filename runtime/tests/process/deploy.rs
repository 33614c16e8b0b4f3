//! Small limits, as an unprivileged user has them: whatever is denied, a server serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use corespun_runtime::{Address, Engine, Runtime};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::service::{Manner, any_port, start_echo};
use crate::warnings::Warnings;
use crate::{ROLE, signal};

/// The user of the children that must have no privileges: nobody.
const NOBODY: &str = "65534";

/// A child in `role` behind the words of another command, with limits set by prlimit(1).
fn limited(role: &str, limits: &[&str], unprivileged: bool) -> Command {
    let mut words = Vec::new();
    if unprivileged && geteuid().is_root() {
        words.extend(["setpriv", "--reuid", NOBODY, "--clear-groups"]);
    }
    words.push("prlimit");
    words.extend(limits);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(std::env::current_exe().expect("our own path"))
        .env_remove("CORESPUN_ENGINE")
        .env_remove("CORESPUN_DENY_URING")
        .env(ROLE, role)
        .stdout(Stdio::piped());
    command
}

/// Returns the reason why children cannot have limits of their own here, if there is one.
fn no_limits(unprivileged: bool) -> Option<String> {
    for tool in ["prlimit", "setpriv"] {
        if Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            return Some(format!("{tool}(1) is not here"));
        }
    }
    let ours = std::env::current_exe().expect("our own path");
    let open_to_all = ours.ancestors().all(|path| {
        path.metadata()
            .is_ok_and(|found| found.permissions().mode() & 1 != 0)
    });
    (unprivileged && geteuid().is_root() && !open_to_all)
        .then(|| "other users cannot run this program".to_owned())
}

fn output(mut command: Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn skip(name: &str, unprivileged: bool) -> bool {
    let reason = no_limits(unprivileged);
    if let Some(reason) = &reason {
        println!("SKIPPED {name}: {reason}");
    }
    reason.is_some()
}

pub fn little_locked_memory_means_epoll_for_all_shards() {
    if skip("little_locked_memory_means_epoll_for_all_shards", true) {
        return;
    }
    let said = output(limited("serves_once", &["--memlock=65536:65536"], true));
    let warnings: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("WARN"))
        .collect();
    assert!(said.contains("engine=epoll shards=4"), "{said}");
    // One line, also where the kernel refuses rings altogether.
    assert_eq!(warnings.len(), 1, "{said}");
    if said.contains("io_uring is usable here") {
        assert!(
            warnings[0].contains("RLIMIT_MEMLOCK is 65536 bytes"),
            "{said}"
        );
        assert!(warnings[0].contains("rings of 4 shards need"), "{said}");
        let said = output(limited("wants_uring", &["--memlock=65536:65536"], true));
        assert!(
            said.contains("failed to set up engine uring: Cannot allocate memory"),
            "{said}"
        );
        assert!(said.contains("RLIMIT_MEMLOCK is 65536 bytes"), "{said}");
    }
}

/// Four shards on whatever engine there is; one exchange with each.
pub fn child_serves_once() {
    let warnings = Warnings::print();
    if Engine::candidates().any(|(engine, usable)| engine == Engine::Uring && usable.is_ok()) {
        println!("io_uring is usable here");
    }
    let running = start_echo(
        Runtime::builder().shards(4),
        &[any_port()],
        Manner::default(),
    );
    println!("engine={} shards={}", running.engine(), running.shards());
    for _ in 0..4 {
        let mut stream = crate::dial(&running.addresses()[0]);
        stream.write_all(b"hello").expect("send");
        stream.read_exact(&mut [0; 5]).expect("receive");
    }
    drop((running, warnings));
}

pub fn child_wants_uring() {
    let builder = Runtime::builder().shards(4).engine(Engine::Uring);
    let error = builder.start(|_| Err("not reached".into()));
    println!("{}", error.expect_err("no room for rings"));
}

pub fn the_soft_limit_of_descriptors_is_raised() {
    if skip("the_soft_limit_of_descriptors_is_raised", false) {
        return;
    }
    let said = output(limited("counts_descriptors", &["--nofile=64:500"], false));
    assert!(said.contains("limit 500"), "{said}");
}

pub fn child_counts_descriptors() {
    let running = start_echo(
        Runtime::builder().shards(1),
        &[any_port()],
        Manner::default(),
    );
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    println!("limit {soft}");
    drop(running);
}

/// A child that serves, with what it prints.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(mut command: Command) -> (Self, std::thread::JoinHandle<Vec<String>>) {
        let mut child = command.spawn().expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("text");
            line.strip_prefix("listening on ")?.parse().ok()
        });
        let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        let address = address.expect("it listens");
        (Self { child, address }, rest)
    }
}

pub fn a_lack_of_descriptors_is_told_once_a_second() {
    let name = "a_lack_of_descriptors_is_told_once_a_second";
    if skip(name, false) {
        return;
    }
    for (engine, usable) in Engine::candidates() {
        if let Err(error) = usable {
            println!("SKIPPED {name} on {engine}: {error}");
            continue;
        }
        let mut command = limited("serves", &["--nofile=40:40"], false);
        command
            .env("CORESPUN_ENGINE", engine.to_string())
            .env("WARNINGS", "1");
        let (mut serving, rest) = Serving::start(command);
        let began = Instant::now();
        let mut streams = Vec::new();
        // More callers keep coming all the time: each is news for a listener.
        while began.elapsed() < Duration::from_millis(2500) {
            if streams.len() < 200 {
                streams.push(TcpStream::connect(serving.address).expect("queued by the kernel"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(streams);
        let mut stream = crate::dial(&Address::Tcp(serving.address));
        stream.write_all(b"hello").expect("send");
        stream.read_exact(&mut [0; 5]).expect("served again");
        signal(&serving.child, Signal::SIGTERM);
        assert!(serving.child.wait().expect("it ends").success());
        let lines = rest.join().expect("its lines");
        let failed = lines
            .iter()
            .filter(|line| line.contains("failed to accept"));
        let count = failed.count();
        // At most one a second, and the first at once.
        let most = began.elapsed().as_secs() as usize + 1;
        assert!((1..=most).contains(&count), "{engine}: {lines:?}");
        assert!(
            lines.iter().any(|line| line.contains("left_out")),
            "{lines:?}"
        );
    }
}
