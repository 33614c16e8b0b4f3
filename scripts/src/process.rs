//! Child processes: started, observed, measured, and stopped by id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::cpus::spawn_on;
use crate::failure::{Attempt, Failure};

/// Longest time until a server listens, and until it has drained.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Server process that is killed when dropped.
pub struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    /// Address of the server, as printed by it.
    pub address: String,
    /// Complete first line: `listening on ADDRESS engine=… shards=…`, for our servers.
    pub greeting: String,
}

impl Server {
    /// Starts `command` and waits until it prints `listening on ADDRESS`; both outputs go to `log`.
    pub fn start(command: &mut Command, cpu: Option<usize>, log: &Path) -> Result<Self, Failure> {
        let name = program_name(command);
        let file = File::create(log).attempt(|| format!("make {log:?}"))?;
        let copy = file.try_clone().attempt(|| format!("share {log:?}"))?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = spawn_on(cpu, command)?;
        let mut server = Self {
            name,
            child,
            log: log.to_owned(),
            address: String::new(),
            greeting: String::new(),
        };
        server.wait_until_listening()?;
        Ok(server)
    }

    /// Starts one of our servers on any free port with this engine; fails if it uses another
    /// engine.
    pub fn start_on(command: &mut Command, engine: &str, log: &Path) -> Result<Self, Failure> {
        command.args(["--listen", "127.0.0.1:0", "--engine", engine]);
        let server = Self::start(command, None, log)?;
        server.check_engine(engine)?;
        Ok(server)
    }

    /// Starts a server to be measured: on any free port, with one shard, alone on its CPU.
    pub fn start_alone(
        command: &mut Command,
        cpu: Option<usize>,
        log: &Path,
    ) -> Result<Self, Failure> {
        command.args(["--listen", "127.0.0.1:0", "--shards", "1"]);
        if let Some(cpu) = cpu {
            command.args(["--cpus", &cpu.to_string()]);
        }
        Self::start(command, cpu, log)
    }

    fn wait_until_listening(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            if let Some((address, greeting)) = greeting(&text) {
                self.address = address.to_owned();
                self.greeting = greeting.to_owned();
                return Ok(());
            }
            let ended = self
                .child
                .try_wait()
                .attempt(|| format!("watch {}", self.name))?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let how = ended.map_or("does not listen yet".into(), |status| status.to_string());
                let last = text
                    .lines()
                    .rev()
                    .find(|line| !line.is_empty())
                    .unwrap_or("no output");
                return Err(Failure::new(
                    format!("start {}", self.name),
                    format!("{how}: {last}"),
                ));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Checks that the server uses this engine, so that a fallback does not go unnoticed.
    pub fn check_engine(&self, engine: &str) -> Result<(), Failure> {
        let said = format!("engine={engine}");
        if self.greeting.split_whitespace().any(|word| word == said) {
            return Ok(());
        }
        let why = format!("asked for {said}, it says: {}", self.greeting);
        Err(Failure::new(format!("start {}", self.name), why))
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time of all its threads so far, ended ones included.
    pub fn cpu_time(&self) -> Result<Duration, Failure> {
        let clock = clock_getcpuclockid(pid(&self.child));
        let time = clock.and_then(clock_gettime);
        time.map(Duration::from)
            .attempt(|| format!("read the CPU clock of {}", self.name))
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill(pid(&self.child), signal).attempt(|| format!("send {signal} to {}", self.name))
    }

    /// Requests a drain with SIGTERM; anything but a timely exit with 0 is a failure.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.signal(Signal::SIGTERM)?;
        match wait_at_most(&mut self.child, PATIENCE)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Failure::new(format!("drain {}", self.name), status)),
            None => Err(Failure::new(
                format!("drain {}", self.name),
                format!("still runs {} s after SIGTERM", PATIENCE.as_secs()),
            )),
        }
    }

    /// Ends the process by any means; used for servers of other projects.
    pub fn end(mut self) {
        let _ = kill(pid(&self.child), Signal::SIGTERM);
        let _ = wait_at_most(&mut self.child, Duration::from_secs(2));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program_name(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the address and the complete line, once the line is complete.
fn greeting(text: &str) -> Option<(&str, &str)> {
    let (complete, _) = text.rsplit_once('\n')?;
    let line = complete
        .lines()
        .find(|line| line.contains("listening on "))?;
    let (_, rest) = line.split_once("listening on ")?;
    Some((rest.split_whitespace().next()?, line))
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Waits for the end of `child`; returns `None` if it outlives `limit`.
pub fn wait_at_most(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().attempt(|| "wait for a program".into())? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// Kills `child` and all its descendants, each by its id, leaves first.
pub fn kill_tree(child: &mut Child) {
    for id in descendants(child.id()).into_iter().rev() {
        let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns the ids of all descendants of `root`, parents before children.
fn descendants(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry.file_name().to_string_lossy().parse::<u32>();
        let stat = fs::read_to_string(entry.path().join("stat"));
        if let (Ok(id), Some(parent)) = (id, stat.ok().as_deref().and_then(parent_in)) {
            parents.push((id, parent));
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == family[next]);
        let children: Vec<u32> = children.map(|(id, _)| *id).collect();
        family.extend(children);
        next += 1;
    }
    family.split_off(1)
}

/// Returns the parent's id in the text of `/proc/ID/stat`, whose second field may contain anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_read_when_complete() {
        let line = "listening on 127.0.0.1:4711 engine=uring shards=2";
        assert_eq!(greeting(line), None);
        let text = format!("INFO ready\n{line}\nmore");
        assert_eq!(greeting(&text), Some(("127.0.0.1:4711", line)));
    }

    #[test]
    fn parents_are_found_behind_odd_names() {
        assert_eq!(parent_in("12 (a) b) c) S 7 12 12 0"), Some(7));
    }

    #[test]
    fn a_family_is_killed_whole() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60; :"])
            .spawn()
            .unwrap();
        let start = Instant::now();
        while descendants(shell.id()).len() < 2 && start.elapsed() < PATIENCE {
            std::thread::sleep(POLL);
        }
        let family = descendants(shell.id());
        assert_eq!(family.len(), 2);
        kill_tree(&mut shell);
        let state = |id: &u32| fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let start = Instant::now();
        let alive = |id: &u32| {
            !matches!(state(id).rsplit(") ").next(), Some("") | None) && !state(id).contains(") Z")
        };
        while family.iter().any(alive) && start.elapsed() < PATIENCE {
            std::thread::sleep(POLL);
        }
        assert!(!family.iter().any(alive));
    }

    #[test]
    fn the_cpu_clock_covers_what_a_server_did() {
        let folder = std::env::temp_dir().join(format!("corespun-clock-{}", std::process::id()));
        let script = "echo listening on here >&2; i=0; while :; do i=$((i+1)); done";
        let server = Server::start(Command::new("sh").args(["-c", script]), None, &folder).unwrap();
        assert_eq!(server.address, "here");
        let before = server.cpu_time().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(server.cpu_time().unwrap() > before);
        server.end();
        fs::remove_file(folder).unwrap();
    }
}
