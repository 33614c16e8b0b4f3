//! `cargo x bench h2load`: measures CPU time per RPC of the server process, by the process's CPU
//! clock.
//!
//! h2load sends a fixed number of requests, so that every request it counts lies between two
//! readings of the clock. The servers take turns within a round, and the reported value is the
//! median over rounds. On a machine with other load only ratios within one run are meaningful.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

use super::report::Report;
use super::server::{self, Subject};
use super::table::{self, Cell, Table};
use crate::cpus::{Placement, spawn_on};
use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::workspace;

/// Connections × streams; at points with one stream for each connection, the lower bounds are
/// measured too.
const POINTS: &[(u32, u32)] = &[(1, 100), (10, 10), (10, 100), (64, 1), (256, 1)];
/// `GetUser { id: 1 }` as one gRPC message.
const REQUEST: &[u8] = b"\0\0\0\0\x02\x08\x01";
/// Number of requests of the run that warms a server up and measures its rate.
const PROBE_REQUESTS: u64 = 20_000;
/// Smallest number of requests in a run; large enough that h2load's wait after the last response
/// does not matter.
const REQUESTS_MIN: u64 = 2_000;

/// Number and duration of the measurements.
#[derive(Clone, Copy, clap::Args)]
pub struct Pace {
    /// Number of rounds; in each, every server has one turn at every point.
    #[arg(long, default_value_t = 5)]
    pub turns: usize,
    /// Approximate duration of one turn in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
}

/// Arguments of `cargo x bench h2load`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Number and duration of the measurements
    #[command(flatten)]
    pace: Pace,
    /// Replace the table between the `bench:h2load` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Server programs and h2load, with the CPUs of both.
pub struct Bench {
    place: Placement,
    programs: PathBuf,
    logs: PathBuf,
    request: PathBuf,
}

/// Measures, prints the table, and writes it if requested.
pub fn run(root: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let subjects = [server::URING, server::TONIC, server::ECHO];
    let bench = Bench::new(root, &subjects.map(|subject| subject.program))?;
    let mut table = Table::default();
    for &point in POINTS {
        let mut subjects = vec![server::URING, server::EPOLL, server::TONIC];
        if point.1 == 1 {
            subjects.extend([server::COALESCING, server::CANNED, server::ECHO]);
        }
        bench.measure(point, &subjects, arguments.pace, &mut table)?;
    }
    let text = format!("{}\n{}", bench.about(arguments.pace), table.markdown());
    println!("\n{text}");
    match &arguments.write {
        Some(file) => table::write_between_markers(&root.join(file), "bench:h2load", &text),
        None => Ok(()),
    }
}

impl Bench {
    /// Builds these programs, and installs h2load if it is missing.
    pub fn new(root: &Path, programs: &[&str]) -> Result<Self, Failure> {
        require_h2load()?;
        let programs = workspace::build_release(root, programs)?;
        let logs = workspace::scratch(root, "bench-logs")?;
        let request = logs.join("request.bin");
        fs::write(&request, REQUEST).attempt(|| format!("write {request:?}"))?;
        Ok(Self {
            place: Placement::choose(),
            programs,
            logs,
            request,
        })
    }

    /// Returns the folder of the servers' logs, which also has their certificate.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Describes the measurement: quantity, load and number of turns.
    pub fn about(&self, pace: Pace) -> String {
        format!(
            "CPU-µs per RPC of the server process, one shard, by its CPU clock; h2load, 2-byte \
             request, constant reply; {}; median of {} interleaved turns.\n",
            self.place.describe(),
            pace.turns
        )
    }

    /// Runs all turns of all servers at one point. Every server stays up, idle between its turns.
    pub fn measure(
        &self,
        point: (u32, u32),
        subjects: &[Subject],
        pace: Pace,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let mut running = Vec::new();
        for &subject in subjects {
            let server = subject.start(&self.programs, self.place, &self.logs)?;
            let requests = self.pace(subject, &server, point, pace.seconds)?;
            running.push((subject, server, requests));
        }
        for turn in 0..pace.turns {
            // Every other round runs backwards, so that no server always follows the same one.
            let order: Vec<_> = if turn % 2 == 0 {
                running.iter().collect()
            } else {
                running.iter().rev().collect()
            };
            for (subject, server, requests) in order {
                let cell = self.turn(*subject, server, point, *requests, pace.seconds)?;
                println!(
                    "{:>4} × {:<4} turn {}  {:26} {:>8.2} µs/RPC {:>10.0} req/s",
                    point.0,
                    point.1,
                    turn + 1,
                    subject.label,
                    cell.cpu_us,
                    cell.rps
                );
                table.add(point, subject.label, cell);
            }
        }
        running.into_iter().for_each(|(_, server, _)| server.end());
        Ok(())
    }

    /// Returns the number of requests that a server answers in the time of one turn.
    fn pace(
        &self,
        subject: Subject,
        server: &Server,
        point: (u32, u32),
        seconds: f64,
    ) -> Result<u64, Failure> {
        if subject.is_raw() {
            return Ok(0);
        }
        let report = self.h2load(subject, server, point, PROBE_REQUESTS)?;
        Ok(((report.rps * seconds) as u64).max(REQUESTS_MIN))
    }

    fn turn(
        &self,
        subject: Subject,
        server: &Server,
        point: (u32, u32),
        requests: u64,
        seconds: f64,
    ) -> Result<Cell, Failure> {
        let before = server.cpu_time()?;
        let (done, rps) = if subject.is_raw() {
            let echoes = self.echo(server, point.0, seconds)?;
            (echoes, echoes as f64 / seconds)
        } else {
            let report = self.h2load(subject, server, point, requests)?;
            (report.done, report.rps)
        };
        // The work of a server after its clients have left belongs to the connections, not the
        // RPCs. It is charged to all servers alike.
        thread::sleep(std::time::Duration::from_millis(20));
        let spent = server.cpu_time()?.saturating_sub(before);
        Ok(Cell {
            cpu_us: spent.as_secs_f64() * 1e6 / done as f64,
            rps,
        })
    }

    fn h2load(
        &self,
        subject: Subject,
        server: &Server,
        (connections, streams): (u32, u32),
        requests: u64,
    ) -> Result<Report, Failure> {
        let mut command = Command::new("h2load");
        command.args(["-n", &requests.to_string(), "-t", "1"]);
        command.args(["-c", &connections.to_string(), "-m", &streams.to_string()]);
        command.args([
            "-H",
            "content-type: application/grpc",
            "-H",
            "te: trailers",
            "-d",
        ]);
        command.arg(&self.request).arg(format!(
            "{}://{}/user.UserService/GetUser",
            subject.scheme(),
            server.address
        ));
        let output = self.output(&mut command)?;
        let report = Report::read(&output).ok_or_else(|| Failure::new("read h2load", &output))?;
        // h2load sees Trailers-Only errors as HTTP 200; only the missing data shows them.
        if report.done < requests || report.data_bytes <= 5 * report.done {
            let what = format!("get {requests} good answers");
            return Err(Failure::new(what, format!("{report:?}\n{output}")));
        }
        Ok(report)
    }

    /// Runs the echo server's own client, and returns the number of echoes.
    fn echo(&self, server: &Server, connections: u32, seconds: f64) -> Result<u64, Failure> {
        let mut command = Command::new(self.programs.join(server::ECHO.program));
        command.args([
            "--connect",
            &server.address,
            "--connections",
            &connections.to_string(),
        ]);
        command.args(["--seconds", &seconds.to_string()]);
        let output = self.output(&mut command)?;
        let mut words = output.split(|c: char| !c.is_ascii_digit());
        let echoes = words.find_map(|word| word.parse().ok().filter(|count| *count > 0));
        echoes.ok_or_else(|| Failure::new("read the count of echoes", output))
    }

    fn output(&self, command: &mut Command) -> Result<String, Failure> {
        let name = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = spawn_on(self.place.generator, command)?;
        let output = child.wait_with_output().attempt(|| format!("run {name}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(
            format!("run {name}"),
            format!("{}: {text}{errors}", output.status),
        ))
    }
}

/// Checks that h2load exists; installs it if root can do that with one command.
fn require_h2load() -> Result<(), Failure> {
    let found = || Command::new("h2load").arg("--version").output().is_ok();
    if found() {
        return Ok(());
    }
    if nix::unistd::geteuid().is_root() {
        println!("h2load is missing: trying apt-get install nghttp2-client");
        let apt = |arguments: &[&str]| Command::new("apt-get").args(arguments).output();
        let _ = apt(&["update", "-qq"]);
        let _ = apt(&["install", "-y", "-qq", "nghttp2-client"]);
    }
    if found() {
        return Ok(());
    }
    Err(Failure::new(
        "start h2load",
        "not installed: apt-get install nghttp2-client",
    ))
}
