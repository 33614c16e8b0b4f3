//! The cross-language stage: Python clients against our servers, our client and the load
//! generator against those of others.
//!
//! Everything it fetches lies under the target folder: a virtual environment with grpcio, and the
//! stubs. The seed's schema and the full one share a package name, so their stubs are generated
//! into separate folders and used by separate processes.

mod heavy;
mod plain;
mod traces;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::drains;
use crate::failure::{Attempt, Failure};
use crate::peers;
use crate::process::Server;
use crate::test::{Context, Stage};
use crate::workspace;

/// Python packages that the tests install. grpcio-tools includes the protobuf version that its
/// stubs need, trustme issues certificates, and OpenTelemetry traces a caller.
const PACKAGES: &[&str] = &[
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
    "grpcio-status==1.85.1",
    "grpcio-health-checking==1.85.1",
    "grpcio-reflection==1.85.1",
    "grpcio-channelz==1.85.0",
    "trustme==1.2.1",
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
    "opentelemetry-instrumentation-grpc==0.66b2",
];

/// The service's own schema, which all full clients are generated from.
const FULL: &str = "proto/user.proto";
/// The schema that the first clients were written against, which must never stop working.
const SEED: &str = "scripts/python/seed/user.proto";

/// Proto file of the service that returns the identity of its caller.
const WHOAMI: &str = "proto/whoami.proto";

/// A Python that can speak gRPC, with stubs for all schemas.
pub struct Python {
    program: PathBuf,
    scripts: PathBuf,
    stubs: PathBuf,
}

/// Runs every cross-language case on one engine.
pub fn run(context: &Context, stage: &mut Stage, engine: &str) {
    let name = format!("python-{engine}");
    if let Some(reason) = context.no_uring.as_ref().filter(|_| engine == "uring") {
        return stage.skip(&name, reason);
    }
    peers::run(context, stage, engine);
    let python = match Python::install(context) {
        Ok(python) => python,
        Err(reason) => return stage.skip(&name, reason),
    };
    if let Err(failure) = python.prepare(context) {
        return stage.fault(failure);
    }
    let parts = [
        users,
        services,
        echo,
        bench,
        client,
        secure,
        plain::run,
        load,
        keepalive,
        ends,
        heavy::run,
        heavy::proxies,
        drains::short,
        traces::run,
    ];
    for part in parts {
        if let Err(failure) = part(context, &python, stage, engine) {
            stage.fault(failure);
        }
    }
}

/// A Python with all that it needs.
///
/// # Errors
/// It cannot be had on this machine, or the stubs cannot be generated.
pub fn ready(context: &Context) -> Result<Python, Failure> {
    let python = Python::install(context)?;
    python.prepare(context)?;
    Ok(python)
}

/// Makes the virtual environment, once; what goes wrong is this machine's lack, not our fault.
fn install(context: &Context) -> Result<PathBuf, Failure> {
    let venv = context.target.join("python/venv");
    let program = venv.join("bin/python");
    let mark = venv.join("installed");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    let log = context.logs.join("python-install.log");
    let output = fs::File::create(&log).attempt(|| format!("make {log:?}"))?;
    let run = |command: &mut Command, what: &str| {
        let copies = output
            .try_clone()
            .and_then(|copy| Ok((copy, output.try_clone()?)));
        let (out, err) = copies.attempt(|| format!("share {log:?}"))?;
        let status = command
            .stdout(out)
            .stderr(err)
            .status()
            .attempt(|| what.to_owned())?;
        let last = || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            text.lines().last().unwrap_or_default().to_owned()
        };
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(what, last()))
        }
    };
    run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
        "make a Python venv",
    )?;
    let mut pip = Command::new(&program);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(PACKAGES);
    run(&mut pip, "install grpcio with pip")?;
    fs::write(&mark, wanted).attempt(|| format!("write {mark:?}"))?;
    Ok(program)
}

impl Python {
    /// A Python with its packages, but no stubs yet; what goes wrong is this machine's lack.
    pub fn install(context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            program: install(context)?,
            scripts: context.root.join("scripts/python"),
            stubs: context.target.join("python/stubs"),
        })
    }

    fn prepare(&self, context: &Context) -> Result<(), Failure> {
        self.generate(&context.root.join(SEED), "seed")?;
        self.generate(&context.root.join(FULL), "full")?;
        self.generate(&context.root.join(WHOAMI), "whoami")
    }

    /// Writes the descriptor set of schemas in the folder `include` to `out`.
    pub fn describe(&self, include: &Path, schemas: &[&str], out: &Path) -> Result<(), Failure> {
        let mut protoc = Command::new(&self.program);
        protoc.args(["-m", "grpc_tools.protoc", "--include_imports", "-I"]);
        protoc.arg(include);
        protoc.arg("--descriptor_set_out").arg(out).args(schemas);
        run_protoc(&mut protoc, || format!("describe {}", schemas.join(", ")))
    }

    /// Writes the stubs of one schema into the folder `name`.
    fn generate(&self, schema: &Path, name: &str) -> Result<(), Failure> {
        let out = self.stubs.join(name);
        fs::create_dir_all(&out).attempt(|| format!("make {out:?}"))?;
        let include = schema.parent().unwrap_or(Path::new("."));
        let mut protoc = Command::new(&self.program);
        protoc.args(["-m", "grpc_tools.protoc", "-I"]).arg(include);
        protoc
            .arg("--python_out")
            .arg(&out)
            .arg("--grpc_python_out")
            .arg(&out)
            .arg(schema);
        run_protoc(&mut protoc, || {
            format!("generate Python stubs from {}", schema.display())
        })
    }

    /// A command that runs one of our scripts with the stubs of one schema.
    pub fn script(&self, name: &str, stubs: &str) -> Command {
        let mut command = Command::new(&self.program);
        let path = [self.stubs.join(stubs), self.scripts.clone()];
        let path = std::env::join_paths(path).unwrap_or_default();
        command.arg(self.scripts.join(name)).env("PYTHONPATH", path);
        command
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn run_protoc(protoc: &mut Command, what: impl Fn() -> String) -> Result<(), Failure> {
    let output = protoc.output().attempt(&what)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(what(), said.trim()))
}

/// A program of the workspace, from the one profile that tests use.
pub fn program(context: &Context, name: &str) -> Command {
    Command::new(context.target.join("debug").join(name))
}

/// Python's clients, good and hostile, against the user service; each finds a fresh store.
fn users(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let clients = [
        ("seed_client.py", "seed"),
        ("full_client.py", "full"),
        ("hostile.py", "full"),
    ];
    for (script, stubs) in clients {
        let mut command = users_server(context, engine)?;
        let log = context.logs.join(format!("users-{engine}-{script}.log"));
        let server = Server::start_on(&mut command, engine, &log)?;
        stage.note(format!("# {script} against: {}", server.greeting));
        stage.command(python.script(script, stubs).arg(&server.address));
        finish(server, stage, &format!("{script}_then_drain"));
    }
    Ok(())
}

/// The user service with a fresh store, on two shards.
fn users_server(context: &Context, engine: &str) -> Result<Command, Failure> {
    users_on(context, engine, "test-store")
}

/// Returns the command of the user service with a store of this name.
fn users_on(context: &Context, engine: &str, name: &str) -> Result<Command, Failure> {
    let store = workspace::scratch(&context.root, &format!("{name}-{engine}"))?;
    let mut command = program(context, "users");
    command.args(["--shards", "2", "--db"]);
    command.arg(store.join("users.db"));
    Ok(command)
}

/// Health and reflection, asked by gRPC's own clients for them, and the drain that health tells of.
fn services(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let mut command = users_server(context, engine)?;
    command.args(["--drain-delay", "2"]);
    let log = context.logs.join(format!("users-{engine}-services.log"));
    let server = Server::start_on(&mut command, engine, &log)?;
    let mut client = python.script("services_client.py", "full");
    stage.command(client.arg(&server.address).arg(server.id().to_string()));
    finish(server, stage, "services_client.py_then_drain");
    Ok(())
}

/// Tests metadata, status and details of calls, with responses in every encoding that Python has.
fn echo(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    for encoding in ["gzip", "deflate"] {
        let mut command = program(context, "echo");
        command.args(["--shards", "2", "--compress", encoding]);
        let log = context.logs.join(format!("echo-{engine}-{encoding}.log"));
        let server = Server::start_on(&mut command, engine, &log)?;
        let mut client = python.script("echo_client.py", "full");
        stage.command(client.arg(&server.address).arg(encoding));
        finish(server, stage, "echo_client.py_then_drain");
    }
    Ok(())
}

/// Messages of all sizes against the benchmark service.
fn bench(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let mut command = program(context, "bench-corespun");
    command.args(["--shards", "1"]);
    let log = context.logs.join(format!("bench-corespun-{engine}.log"));
    let server = Server::start_on(&mut command, engine, &log)?;
    stage.command(
        python
            .script("bench_client.py", "full")
            .arg(&server.address),
    );
    finish(server, stage, "bench_client.py_then_drain");
    Ok(())
}

/// Our client, all four kinds, against Python's server.
fn client(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let log = context.logs.join(format!("python-server-{engine}.log"));
    let server = Server::start(&mut python.script("server.py", "full"), None, &log)?;
    let mut command = program(context, "users-client");
    command.args(["--target", &server.address, "--engine", engine]);
    if stage.command(&mut command) {
        stage.note(format!("ok users_client_on_{engine}_against_python"));
    }
    server.end();
    Ok(())
}

/// The load generator, all four kinds, against Python's server and ours.
fn load(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let log = context.logs.join(format!("users-{engine}-load.log"));
    let mut users = users_on(context, engine, "test-store-load")?;
    let server = Server::start_on(&mut users, engine, &log)?;
    let mut script = python.script("load_cases.py", "full");
    script.arg(context.target.join("debug/corespun-load"));
    script.arg(context.root.join(FULL)).arg(engine);
    stage.command(script.arg(&server.address));
    finish(server, stage, "load_cases.py_then_drain");
    Ok(())
}

/// A client that asks too often, against a server with the defaults and one that permits it.
fn keepalive(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let serve = |name: &str, flags: &[&str]| {
        let mut command = users_on(context, engine, &format!("test-store-{name}"))?;
        let log = format!("users-{engine}-{name}.log");
        Server::start_on(command.args(flags), engine, &context.logs.join(log))
    };
    let strict = serve("strict", &[])?;
    let flags = ["--keepalive-min-time", "100ms", "--permit-without-stream"];
    let permitting = serve("permitting", &flags)?;
    let mut script = python.script("keepalive.py", "full");
    stage.command(script.args([&strict.address, &permitting.address]));
    finish(strict, stage, "keepalive.py_then_drain");
    finish(
        permitting,
        stage,
        "keepalive.py_then_drain_of_the_permitting_one",
    );
    Ok(())
}

/// A call that outlives a drain, and one that a second signal cuts off: both end, the server exits
/// with 0, and says what it cut off.
fn ends(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    for signals in ["1", "2"] {
        let mut command = users_server(context, engine)?;
        let name = format!("users-{engine}-ends-{signals}.log");
        let log = context.logs.join(name);
        let server = Server::start(command.args(["--grace", "1"]), None, &log)?;
        let mut script = python.script("ends.py", "full");
        script.args([&server.address, &server.id().to_string()]);
        stage.command(script.arg(signals));
        finish(server, stage, "ends.py_then_exit_with_0");
        let said = fs::read_to_string(&log).attempt(|| format!("read {log:?}"))?;
        if !said.contains("cut off: 1 connections with 1 calls") {
            stage.fault(format!("{} does not say what it cut off", log.display()));
        }
    }
    Ok(())
}

/// TLS: Python's clients against a server that asks for certificates, and one that insists.
fn secure(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let folder = workspace::scratch(&context.root, &format!("test-certificates-{engine}"))?;
    if !stage.command(python.script("certificates.py", "whoami").arg(&folder)) {
        return Ok(());
    }
    let serve = |demand: &[&str]| {
        let mut command = program(context, "whoami");
        command.args(["--shards", "2"]);
        let files = [
            ("--tls-cert", "server.pem"),
            ("--tls-key", "server.key"),
            ("--tls-client-ca", "clients.pem"),
        ];
        for (flag, file) in files {
            command.arg(flag).arg(folder.join(file));
        }
        command.args(demand);
        let log = format!("whoami-{engine}-{}.log", demand.len());
        Server::start_on(&mut command, engine, &context.logs.join(log))
    };
    let (optional, required) = (serve(&["--tls-client-optional"])?, serve(&[])?);
    let mut script = python.script("secure.py", "whoami");
    script.args([&optional.address, &required.address]);
    script.arg(optional.id().to_string()).arg(&folder);
    stage.command(&mut script);
    finish(optional, stage, "secure.py_then_drain");
    finish(required, stage, "secure.py_then_drain_of_the_strict_one");
    Ok(())
}

/// Stops a server of ours; that it drains and exits with 0 is a case too.
pub fn finish(server: Server, stage: &mut Stage, case: &str) {
    match server.stop() {
        Ok(()) => stage.note(format!("ok {case}")),
        Err(failure) => stage.fault(failure),
    }
}
