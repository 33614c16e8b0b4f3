//! The CPUs that shards run on when several servers are on one machine.

use std::fs;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corespun_runtime::{Accept, Address, Flow, Input, Peer, Protocol, Runtime, SocketHandle};
use nix::sys::signal::Signal;

use crate::service::any_port;
use crate::{dial, serving, signal, started};

/// The CPU time that one call takes.
const WORK: Duration = Duration::from_micros(200);
/// Length of a measurement.
const SPAN: Duration = Duration::from_secs(1);
/// Callers of each server: enough to leave it no pause.
const CALLERS: usize = 3;
/// Least ratio of what two servers serve to what one does.
const RATIO_MIN: f64 = 1.7;
/// The share of the machine that others may take for the ratio to mean anything.
const NOISE_MAX: f64 = 0.15;

/// Unit of CPU times in /proc, the same on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// The CPUs that a thread may use, as Linux writes them.
fn mask(status: &str) -> String {
    let text = fs::read_to_string(status).expect("a thread that is there");
    let mask = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    mask.expect("a mask").trim().to_owned()
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The masks of a process's shards.
fn shard_masks(child: &Child) -> Vec<String> {
    let tasks = format!("/proc/{}/task", child.id());
    let tasks = fs::read_dir(tasks).expect("a process that is there");
    let paths = tasks.map(|task| task.expect("a task").path());
    let is_shard = |path: &std::path::PathBuf| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        name.starts_with("shard-")
    };
    let shards = paths.filter(is_shard);
    shards
        .map(|path| mask(path.join("status").to_str().expect("text")))
        .collect()
}

pub fn shards_are_left_to_the_scheduler() {
    let own = mask("/proc/self/status");
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    if own != online.trim() {
        return println!(
            "SKIPPED shards_are_left_to_the_scheduler: this process has CPUs {own} only"
        );
    }
    let (mut child, _) = serving(&[]);
    assert_eq!(shard_masks(&child), [own.clone(), own]);
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().expect("it ends").success());
}

/// Echoes after so much work.
struct Burning(Vec<u8>);

impl Protocol for Burning {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        if let Input::Bytes(bytes) = input {
            let end = Instant::now() + WORK;
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            self.0.extend_from_slice(bytes);
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.0);
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

pub fn child_burns() {
    let builder = Runtime::builder()
        .shards(1)
        .catch_signals()
        .grace(Duration::ZERO);
    let running = builder.listen(any_port()).start(|_| {
        let accept = |_: Peer, _: SocketHandle| Box::new(Burning(Vec::new())) as Box<dyn Protocol>;
        Ok(Box::new(accept) as Box<dyn Accept>)
    });
    let running = running.expect("started");
    println!("listening on {}", running.addresses()[0]);
    running.wait_for_signal(|_| ()).expect("a clean end");
    std::process::exit(0);
}

pub fn two_servers_of_one_shard_share_the_machine() {
    let name = "two_servers_of_one_shard_share_the_machine";
    if cpus() < 2 {
        return println!("SKIPPED {name}: it takes two CPUs");
    }
    let mut servers: Vec<_> = (0..2).map(|_| started("burns", &[])).collect();
    let addresses: Vec<_> = servers.iter().map(|(_, address)| address.clone()).collect();
    // Noise only takes away, so the best of a few tries counts on both sides.
    let (mut one, mut two, mut noise) = (0, 0, 1.0_f64);
    for _ in 0..3 {
        one = one.max(calls(&addresses[..1]).0);
        let (count, others) = calls(&addresses);
        (two, noise) = (two.max(count), noise.min(others));
        println!(
            "one server {one} calls, two {two}; {:.0} % went to others",
            others * 100.0
        );
        if two as f64 >= RATIO_MIN * one as f64 {
            break;
        }
    }
    for (child, _) in &mut servers {
        signal(child, Signal::SIGTERM);
        assert!(child.wait().expect("it ends").success());
    }
    let ratio = two as f64 / one as f64;
    if ratio < RATIO_MIN && noise > NOISE_MAX {
        return println!("SKIPPED {name}: others use the machine");
    }
    assert!(
        ratio >= RATIO_MIN,
        "two servers serve {ratio:.2} times what one does"
    );
}

/// The calls that these servers answer in a while, and the share of the machine that others took.
fn calls(addresses: &[Address]) -> (u64, f64) {
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (busy, own) = (machine_time(), own_time());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for address in addresses.iter().flat_map(|address| [address; CALLERS]) {
            scope.spawn(|| {
                let mut stream = dial(address);
                while !is_over.load(Ordering::Relaxed) {
                    stream.write_all(b"x").expect("send");
                    stream.read_exact(&mut [0]).expect("receive");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(SPAN);
        is_over.store(true, Ordering::Relaxed);
    });
    let whole = began.elapsed().as_secs_f64() * cpus() as f64;
    let others = (machine_time() - busy) - (own_time() - own);
    (count.into_inner(), others / whole)
}

/// Seconds of CPU time that were spent on the machine.
fn machine_time() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("Linux");
    let line = text.lines().next().expect("a line about all CPUs");
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .flat_map(str::parse)
        .collect();
    // All but the time that CPUs were idle or waited for a disk: fields 4 and 5.
    let idle = ticks[3] + ticks[4];
    (ticks.iter().take(8).sum::<f64>() - idle) / TICKS_PER_SECOND
}

/// Seconds of CPU time of this process and its children that live.
fn own_time() -> f64 {
    let mut ticks = 0.0;
    for process in fs::read_dir("/proc").expect("Linux").flatten() {
        let Ok(stat) = fs::read_to_string(process.path().join("stat")) else {
            continue;
        };
        let Some((head, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let me = std::process::id().to_string();
        if head.starts_with(&format!("{me} ")) || fields[1] == me {
            ticks += [11, 12]
                .iter()
                .filter_map(|field| fields[*field].parse::<f64>().ok())
                .sum::<f64>();
        }
    }
    ticks / TICKS_PER_SECOND
}
