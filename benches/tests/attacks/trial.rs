//! Trial of one attack: response of the server, its memory, and the effect on other clients.
//!
//! The well-behaved client is measured alone, under attack, and alone again. All its calls must
//! succeed. The best of up to three tries counts, because the machine has other work too.
//!
//! The short form checks that an attack does no harm and is part of every test run. The long form
//! measures the harm for a row of the table: its windows are long enough for a p99 that does not
//! depend on two calls.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::place::{Place, raise_open_files};
use super::seen::{Answer, Seen};
use super::server::Server;
use super::witness::{Window, Witness};

/// Memory that the server may hold above its idle state, in KiB.
const MEMORY_KIB_MAX: u64 = 64 << 10;
/// Largest ratio of a good client's p99 under attack to its p99 alone.
const RATIO_MAX: f64 = 3.0;
const TRIES_MAX: usize = 3;
/// Number of calls before the server counts as idle; its buffers are allocated by then.
const WARM_CALLS: usize = 100;
/// Variable with the name of a file. If it is set, the long form is measured and rows of the table
/// are appended to the file.
const ROWS_VARIABLE: &str = "CORESPUN_ATTACK_ROWS";

/// Parameters of the measurement of the good client.
struct Form {
    /// Interval between two calls of the client.
    interval: Duration,
    /// Time for which rounds of an attack are repeated.
    attacked: Duration,
    /// Time for which the client is measured alone, before and after.
    alone: Duration,
    /// p99 below which there is no harm, and the ratio of two small numbers is noise.
    p99_floor: Duration,
    /// p99 above which an attack is tried again to improve its ratio; for the table, with or
    /// without harm.
    retry_floor: Duration,
}

/// Short form: 200 calls under attack.
const SHORT: Form = Form {
    interval: Duration::from_millis(2),
    attacked: Duration::from_millis(400),
    alone: Duration::from_millis(150),
    p99_floor: Duration::from_millis(5),
    retry_floor: Duration::from_millis(5),
};

/// Long form: 2000 calls under attack and as many without, so that twenty calls are beyond each
/// p99. The floor is about the time to create two replies of 1 MiB, behind one of which a call may
/// have to wait.
const LONG: Form = Form {
    interval: Duration::from_micros(500),
    attacked: Duration::from_secs(1),
    alone: Duration::from_millis(500),
    p99_floor: Duration::from_millis(2),
    retry_floor: Duration::ZERO,
};

/// Attack on a server.
pub struct Attack {
    pub name: &'static str,
    /// CVE number; empty if the attack never had one.
    pub cve: &'static str,
    /// Defence against the attack: a field of the limits, or a section of RFC 9113.
    pub limit: &'static str,
    /// Permitted responses of the server to every round.
    pub expected: &'static [Answer],
    /// Runs one round on its own connections; the error describes any other fault.
    pub round: fn(SocketAddr) -> io::Result<Seen>,
}

impl Attack {
    /// Creates an attack that never had a CVE number.
    pub const fn new(
        name: &'static str,
        limit: &'static str,
        expected: &'static [Answer],
        round: fn(SocketAddr) -> io::Result<Seen>,
    ) -> Self {
        Self {
            name,
            cve: "",
            limit,
            expected,
            round,
        }
    }
}

/// One try of an attack.
struct Try {
    sent: String,
    peak_kib: u64,
    alone: Duration,
    attacked: Duration,
    faults: Vec<String>,
}

impl Try {
    fn ratio(&self) -> f64 {
        self.attacked.as_secs_f64() / self.alone.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn is_quiet(&self, p99_floor: Duration) -> bool {
        self.attacked <= p99_floor || self.ratio() <= RATIO_MAX
    }
}

/// Server, its good client, and its memory before any attack.
struct Scene {
    form: Form,
    rows: Option<OsString>,
    place: Place,
    server: Server,
    witness: Witness,
    idle_kib: u64,
    /// Measurement of the client alone after the last attack, which is also the one before the
    /// next.
    calm: Window,
}

/// Runs attacks in order against one server, which must survive them all.
///
/// # Panics
///
/// When a response to an attack is wrong; the text names each.
pub fn run(flags: &[&str], attacks: &[Attack]) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scene = Scene::start(flags);
    let mut faults = Vec::new();
    for attack in attacks {
        faults.extend(scene.judge(attack));
    }
    let Scene {
        server, witness, ..
    } = scene;
    drop(witness);
    server.stop();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

impl Scene {
    fn start(flags: &[&str]) -> Self {
        raise_open_files();
        let rows = std::env::var_os(ROWS_VARIABLE);
        let form = if rows.is_some() { LONG } else { SHORT };
        let place = Place::choose();
        let server = Server::start(place.server, flags);
        let witness = Witness::start(server.address, place.clients, form.interval);
        witness.wait_for_calls(WARM_CALLS);
        let idle_kib = server.resident_kib();
        let mut scene = Self {
            form,
            rows,
            place,
            server,
            witness,
            idle_kib,
            calm: Window::default(),
        };
        scene.calm = scene.alone();
        scene
    }

    /// Tries an attack until the client is not affected, writes its row, and returns the faults.
    fn judge(&mut self, attack: &Attack) -> Vec<String> {
        let mut best: Option<Try> = None;
        for _ in 0..TRIES_MAX {
            let this = self.attempt(attack);
            let last = this.is_quiet(self.form.retry_floor) || !this.faults.is_empty();
            if best
                .as_ref()
                .is_none_or(|best| last || this.ratio() < best.ratio())
            {
                best = Some(this);
            }
            if last {
                break;
            }
        }
        let mut best = best.expect("at least one try");
        if !best.is_quiet(self.form.p99_floor) {
            let (alone, attacked) = (best.alone, best.attacked);
            let fault = format!("the good client's p99 was {attacked:?}, alone {alone:?}");
            best.faults.push(fault);
        }
        self.report(attack, &best);
        let named = |fault: &String| format!("{} ({}): {fault}", attack.name, self.server.engine);
        best.faults.iter().map(named).collect()
    }

    fn attempt(&mut self, attack: &Attack) -> Try {
        self.server.forget_peak();
        let from = Instant::now();
        let (sent, mut faults) = self.attack(attack);
        let attacked = self.witness.window(from, Instant::now());
        let peak_kib = self.server.peak_kib().saturating_sub(self.idle_kib);
        let after = self.alone();
        let mut alone = std::mem::replace(&mut self.calm, after.clone());
        alone.join(after);
        if peak_kib > MEMORY_KIB_MAX {
            faults.push(format!("the server held {peak_kib} KiB more than idle"));
        }
        let failures = attacked.failures.iter().chain(&alone.failures);
        if let Some(failure) = failures.clone().next() {
            let count = failures.count();
            faults.push(format!(
                "{count} good calls failed, the first with: {failure}"
            ));
        }
        Try {
            sent,
            peak_kib,
            alone: alone.p99(),
            attacked: attacked.p99(),
            faults,
        }
    }

    fn alone(&self) -> Window {
        let from = Instant::now();
        std::thread::sleep(self.form.alone);
        self.witness.window(from, Instant::now())
    }

    /// Repeats rounds on a thread with low priority; returns the responses of the server in the
    /// last round, and the faults of the first round that failed.
    fn attack(&self, attack: &Attack) -> (String, Vec<String>) {
        let attacker = || {
            self.place.become_attacker();
            let start = Instant::now();
            loop {
                let seen = match (attack.round)(self.server.address) {
                    Ok(seen) => seen,
                    Err(error) => return ("–".into(), vec![error.to_string()]),
                };
                if !attack.expected.contains(&seen.answer()) {
                    let expected: Vec<_> = attack.expected.iter().map(Answer::to_string).collect();
                    let fault = format!("answered {seen}, not {}", expected.join(" or "));
                    return (seen.to_string(), vec![fault]);
                }
                if start.elapsed() >= self.form.attacked {
                    return (seen.to_string(), Vec::new());
                }
            }
        };
        std::thread::scope(|scope| {
            let attacker = scope.spawn(attacker).join();
            attacker.expect("an attacker panicked")
        })
    }

    fn report(&self, attack: &Attack, best: &Try) {
        let engine = &self.server.engine;
        let mib = best.peak_kib as f64 / 1024.0;
        let (sent, ratio) = (&best.sent, best.ratio());
        let (name, cve, limit) = (attack.name, attack.cve, attack.limit);
        println!(
            "{name} ({engine}): {sent}; {mib:.1} MiB; p99 {:?} alone, {:?} attacked",
            best.alone, best.attacked
        );
        if let Some(path) = &self.rows {
            let ms = best.attacked.as_secs_f64() * 1000.0;
            let measured = format!("{mib:.1}\t{ms:.2}\t{ratio:.1}");
            let row = format!("{engine}\t{name}\t{cve}\t{limit}\t{sent}\t{measured}\n");
            let file = OpenOptions::new().create(true).append(true).open(path);
            let written = file.and_then(|mut file| file.write_all(row.as_bytes()));
            written.unwrap_or_else(|error| panic!("failed to write {path:?}: {error}"));
        }
    }
}
