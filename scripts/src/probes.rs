//! Common tools that inspect a server: grpcurl, and `grpc_health_probe`, which orchestrators run.
//!
//! Each case is one line, `ok probe.tls.grpcurl.list`. Without Go both programs are skipped, and
//! without openssl the part over TLS, with a message.

mod cases;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::suites::tool::{self, Tool};
use crate::test::{Context, Stage};
use crate::{peers, python, workspace};
use cases::Case;

/// grpcurl, as a Go package with its version.
const GRPCURL: (Tool, &str) = (
    Tool {
        folder: "grpcurl-1.9.4",
        programs: &["grpcurl"],
    },
    "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4",
);

/// Health probe, as a Go package with its version.
const HEALTH: (Tool, &str) = (
    Tool {
        folder: "grpc-health-probe-0.4.61",
        programs: &["grpc-health-probe"],
    },
    "github.com/grpc-ecosystem/grpc-health-probe@v0.4.61",
);

/// Longest time of one call, however slow the machine is.
const CALL_MAX: Duration = Duration::from_secs(60);

/// Longest time until a server reports that it is about to drain.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Host name in our servers' certificate.
const HOST: &str = "localhost";

/// Runs every case on one engine.
pub fn run(context: &Context, stage: &mut Stage, engine: &str) {
    let probes = match Probes::install(context, stage, engine) {
        Ok(probes) => probes,
        Err(failure) => return stage.fault(failure),
    };
    if probes.grpcurl.is_none() && probes.health.is_none() {
        return;
    }
    if let Err(failure) = plain(context, stage, &probes) {
        stage.fault(failure);
    }
    let certificate = match peers::certificate(&probes.folder) {
        Ok(certificate) => certificate,
        Err(reason) => return stage.skip("probe.tls", reason),
    };
    if let Err(failure) = secure(context, stage, &probes, &certificate) {
        stage.fault(failure);
    }
}

/// Programs that this machine can run, and their folder.
struct Probes<'a> {
    engine: &'a str,
    grpcurl: Option<PathBuf>,
    health: Option<PathBuf>,
    /// Working folder of the programs.
    folder: PathBuf,
    /// File with the input of the last call; its output is next to it.
    input: PathBuf,
    log: PathBuf,
}

impl<'a> Probes<'a> {
    fn install(context: &Context, stage: &Stage, engine: &'a str) -> Result<Self, Failure> {
        let name = format!("probe-{engine}");
        let folder = workspace::scratch(&context.root, &format!("test-{name}"))?;
        let schema = folder.join(cases::UNKNOWN_FILE);
        fs::write(&schema, cases::UNKNOWN_SCHEMA).attempt(|| format!("write {schema:?}"))?;
        let program = |(tool, package): (Tool, &str)| {
            let found = tool.install(context, |folder| {
                tool::go_install(context, folder, &[package.to_owned()])
            });
            let lacks = |reason| stage.skip(&format!("probe.{}", tool.programs[0]), reason);
            let programs = found.map_err(lacks).ok()?;
            Some(programs.join(tool.programs[0]))
        };
        Ok(Self {
            engine,
            grpcurl: program(GRPCURL),
            health: program(HEALTH),
            input: folder.join("input"),
            folder,
            log: context.logs.join(format!("{name}.log")),
        })
    }

    fn serve(&self, context: &Context, name: &str, flags: &[&str]) -> Result<Server, Failure> {
        let mut command = python::program(context, name);
        command.current_dir(&self.folder).args(["--shards", "2"]);
        let log = format!("probe-{}-{name}-{}.log", self.engine, flags.len());
        let log = context.logs.join(log);
        Server::start_on(command.args(flags), self.engine, &log)
    }

    /// Runs cases of grpcurl, if it is installed.
    fn curl(&self, stage: &mut Stage, way: &Way, cases: &[Case]) {
        let Some(program) = &self.grpcurl else { return };
        for case in cases {
            let mut command = Command::new(program);
            command.args(&way.grpcurl).args(case.flags);
            command.arg(&way.address).args(case.rest);
            let found = self.ask(&mut command, case);
            judge(stage, way, "grpcurl", case, found);
        }
    }

    /// Runs cases of the health probe, if it is installed.
    fn check(&self, stage: &mut Stage, way: &Way, cases: &[Case]) {
        for case in cases {
            self.check_within(Duration::ZERO, stage, way, case);
        }
    }

    /// Repeats a case of the health probe until it succeeds, or `limit` has passed.
    fn check_within(&self, limit: Duration, stage: &mut Stage, way: &Way, case: &Case) {
        let Some(program) = &self.health else { return };
        let start = Instant::now();
        let found = loop {
            let mut command = Command::new(program);
            // Its own limits of one second are too short for a busy machine.
            command.args(["-connect-timeout", "20s", "-rpc-timeout", "20s"]);
            command.args(&way.health).args(case.flags);
            let found = self.ask(&mut command, case);
            if found.is_ok() || start.elapsed() >= limit {
                break found;
            }
        };
        judge(stage, way, "health", case, found);
    }

    /// Runs a command, and compares its result with the expected one.
    fn ask(&self, command: &mut Command, case: &Case) -> Result<(), Failure> {
        let input = &self.input;
        fs::write(input, case.input).attempt(|| format!("write {input:?}"))?;
        let file = File::open(input).attempt(|| format!("open {input:?}"))?;
        command.current_dir(&self.folder);
        let status = tool::run_reading(command, Stdio::from(file), &self.log, CALL_MAX)?;
        let said = fs::read(&self.log).attempt(|| format!("read {:?}", self.log))?;
        // The spaces in JSON differ from one build of grpcurl to the next.
        let said = spaced_once(&String::from_utf8_lossy(&said));
        let lacks = |words: &&&str| !said.contains(&spaced_once(words));
        if let Some(words) = case.says.iter().find(lacks) {
            return Err(Failure::new(format!("hear {words:?}"), said));
        }
        if status.code() != Some(case.exit) {
            let what = format!("see it exit with {}", case.exit);
            return Err(Failure::new(what, format!("{status}: {said}")));
        }
        Ok(())
    }
}

fn judge(stage: &mut Stage, way: &Way, program: &str, case: &Case, found: Result<(), Failure>) {
    let name = format!("probe.{}.{program}.{}", way.name, case.name);
    match found {
        Ok(()) => stage.note(format!("ok {name}")),
        Err(failure) => {
            stage.note(format!("FAILED {name}"));
            stage.fault(format!("{name}: {failure}"));
        }
    }
}

fn spaced_once(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

/// Connection settings of one server address.
struct Way {
    name: &'static str,
    address: String,
    /// Flags of each program, including the address for the health probe.
    grpcurl: Vec<String>,
    health: Vec<String>,
}

impl Way {
    fn new(name: &'static str, address: &str, grpcurl: &[&str], health: &[&str]) -> Self {
        let owned = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self {
            name,
            address: address.to_owned(),
            grpcurl: owned(grpcurl),
            health: owned(health),
        }
    }

    fn plain(server: &Server) -> Self {
        let address = &*server.address;
        Self::new("plain", address, &["-plaintext"], &["-addr", address])
    }

    fn unix(path: &str) -> Self {
        let address = format!("unix:{path}");
        let flags = ["-plaintext", "-unix"];
        Self::new("unix", path, &flags, &["-addr", &address])
    }

    fn tls(server: &Server, authority: &Path) -> Self {
        let (address, authority) = (&*server.address, &*authority.to_string_lossy());
        let grpcurl = ["-cacert", authority, "-servername", HOST];
        let health = ["-addr", address, "-tls", "-tls-ca-cert", authority];
        let health = [&health[..], &["-tls-server-name", HOST]].concat();
        Self::new("tls", address, &grpcurl, &health)
    }

    /// Returns TLS settings of clients that trust another authority than the server's.
    fn stranger(server: &Server) -> Self {
        let address = &*server.address;
        Self::new("tls_stranger", address, &[], &["-addr", address, "-tls"])
    }
}

/// Runs the cases on plain connections, and those of a server's end.
fn plain(context: &Context, stage: &mut Stage, probes: &Probes<'_>) -> Result<(), Failure> {
    // Outside of the target folder, whose path may be too long for a socket.
    let socket = format!("corespun-probe-{}.sock", std::process::id());
    let socket = std::env::temp_dir().join(socket);
    let socket = socket.to_string_lossy();
    let address = format!("unix:{socket}");
    let flags = [
        "--db",
        "users.db",
        "--drain-delay",
        "60",
        "--listen",
        &address,
    ];
    let users = probes.serve(context, "users", &flags)?;
    let ways = [Way::plain(&users), Way::unix(&socket)];
    for way in &ways {
        probes.curl(stage, way, cases::USERS);
        probes.check(stage, way, cases::HEALTH);
    }
    let interop = probes.serve(context, "interop-server", &[])?;
    let way = Way::plain(&interop);
    probes.curl(stage, &way, cases::ECHOED);
    probes.check(stage, &way, cases::NO_HEALTH);
    python::finish(
        interop,
        stage,
        "probe.plain.then_drain_of_the_interop_server",
    );
    users.signal(Signal::SIGTERM)?;
    for way in &ways {
        probes.check_within(DRAIN_MAX, stage, way, &cases::DRAINING);
    }
    // A second signal ends the delay.
    python::finish(users, stage, "probe.plain.then_drain");
    for way in &ways {
        probes.curl(stage, way, cases::REFUSED);
        probes.check(stage, way, cases::GONE);
    }
    Ok(())
}

/// Runs the cases over TLS, and with wrong TLS settings.
fn secure(
    context: &Context,
    stage: &mut Stage,
    probes: &Probes<'_>,
    (chain, key): &(PathBuf, PathBuf),
) -> Result<(), Failure> {
    let files = [chain, key].map(|file| file.to_string_lossy().into_owned());
    let tls = ["--tls-cert", &files[0], "--tls-key", &files[1]];
    let users = [&["--db", "users.db"], &tls[..]].concat();
    let users = probes.serve(context, "users", &users)?;
    let way = Way::tls(&users, chain);
    probes.curl(stage, &way, cases::USERS);
    probes.check(stage, &way, cases::HEALTH);
    let mut plain = Way::plain(&users);
    plain.name = "plain_to_tls";
    for way in [plain, Way::stranger(&users)] {
        probes.curl(stage, &way, cases::REFUSED);
        probes.check(stage, &way, cases::GONE);
    }
    python::finish(users, stage, "probe.tls.then_drain");
    let interop = probes.serve(context, "interop-server", &tls)?;
    probes.curl(stage, &Way::tls(&interop, chain), cases::ECHOED);
    python::finish(interop, stage, "probe.tls.then_drain_of_the_interop_server");
    Ok(())
}
