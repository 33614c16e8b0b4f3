//! Load generator against servers of other implementations: grpc-go and grpc-js.
//!
//! Their packages are installed under the target folder. Without Go or Node that part is skipped
//! with a message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::test::{Context, Stage};

/// Calls that every server must answer: name, method, and flags.
const CASES: &[(&str, &str, &[&str])] = &[
    ("unary", "GetUser", &["--data", r#"{"id": {{rand 1 100}}}"#]),
    (
        "server_streaming",
        "ListUsers",
        &["--data", r#"{"page_size": 20}"#],
    ),
    (
        "client_streaming",
        "ImportUsers",
        &["--data", r#"{"id": 7, "name": "Ada"}"#, "--messages", "10"],
    ),
    (
        "ping_pong",
        "Lookup",
        &["--data", r#"{"id": {{rand 1 100}}}"#, "--messages", "5"],
    ),
    (
        "a_number_of_calls",
        "GetUser",
        &[
            "--data",
            r#"{"id": {{seq 1}}}"#,
            "-n",
            "100",
            "-H",
            "x-id: {{uuid}}",
            "--token",
            "sesame",
        ],
    ),
    (
        "free_turns",
        "Lookup",
        &[
            "--data",
            r#"{"id": 3}"#,
            "--messages",
            "20",
            "--turns",
            "free",
        ],
    ),
    (
        "compressed",
        "GetUser",
        &["--data", r#"{"id": 7}"#, "--compress", "gzip"],
    ),
    (
        "open_loop",
        "GetUser",
        &["--data", r#"{"id": 7}"#, "--rate", "100"],
    ),
];

/// Implementation of a server, ready to start.
struct Family {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

/// Loads each server that this machine can run, plain and over TLS; the schema comes from the
/// servers' reflection.
pub fn run(context: &Context, stage: &mut Stage, engine: &str) {
    for (name, install) in [("go", go as fn(&Context) -> _), ("node", node)] {
        let family = match install(context) {
            Ok(family) => family,
            Err(reason) => {
                stage.skip(&format!("load-{name}-{engine}"), reason);
                continue;
            }
        };
        if let Err(failure) = drive(context, stage, engine, &family) {
            stage.fault(failure);
        }
    }
}

/// Runs a command to its end; an error has the last line of its output.
pub fn finish(command: &mut Command, what: &str) -> Result<(), Failure> {
    output(command, what).map(drop)
}

/// Runs a command to its end and returns its standard output; an error has the last line of its
/// standard error.
pub fn output(command: &mut Command, what: &str) -> Result<Vec<u8>, Failure> {
    let output = command.output().attempt(|| what.to_owned())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(Failure::new(what, last))
}

fn go(context: &Context) -> Result<Family, Failure> {
    let folder = context.target.join("go");
    let program = folder.join("peer");
    let mut build = Command::new("go");
    build
        .args(["build", "-modcacherw", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(context.root.join("scripts/go"))
        .env("GOPATH", &folder);
    finish(&mut build, "build the Go peer")?;
    Ok(Family {
        name: "go",
        program,
        arguments: vec![context.root.join("proto")],
    })
}

/// Returns the folder of the Node programs, with their packages, which are installed once.
pub fn node_folder(context: &Context) -> Result<PathBuf, Failure> {
    let folder = context.target.join("node");
    let files = [
        "package.json",
        "package-lock.json",
        "server.js",
        "interop.js",
    ];
    npm(&context.root.join("scripts/node"), &files, &folder)?;
    Ok(folder)
}

fn node(context: &Context) -> Result<Family, Failure> {
    let folder = node_folder(context)?;
    Ok(Family {
        name: "node",
        program: PathBuf::from("node"),
        arguments: vec![
            folder.join("server.js"),
            context.root.join("proto/user.proto"),
        ],
    })
}

/// Copies the files of a package to a folder, and installs its dependencies there.
pub fn npm(from: &Path, files: &[&str], to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).attempt(|| format!("make {to:?}"))?;
    for name in files {
        let file = from.join(name);
        fs::copy(&file, to.join(name)).attempt(|| format!("copy {file:?}"))?;
    }
    let wanted = from.join("package-lock.json");
    let wanted = fs::read(&wanted).attempt(|| format!("read {wanted:?}"))?;
    let mark = to.join("installed");
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut install = Command::new("npm");
    install
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(to);
    finish(&mut install, "install what Node needs with npm")?;
    fs::write(&mark, wanted).attempt(|| format!("write {mark:?}"))
}

fn drive(
    context: &Context,
    stage: &mut Stage,
    engine: &str,
    family: &Family,
) -> Result<(), Failure> {
    let name = format!("load-{}-{engine}", family.name);
    let server = start(context, family, &[])?;
    for (case, method, flags) in CASES {
        judge(stage, &format!("{name}-{case}"), || {
            load(context, &server, engine, method, flags)
        });
    }
    server.end();
    let folder = context.target.join("peer-certificates");
    let (cert, key) = match certificate(&folder) {
        Ok(files) => files,
        Err(reason) => {
            stage.skip(&format!("{name}-tls"), reason);
            return Ok(());
        }
    };
    let server = start(context, family, &[&cert, &key])?;
    let cert = cert.to_string_lossy();
    let flags = ["--tls", "--cacert", &cert, "--servername", "localhost"];
    let flags = [&flags[..], &["--data", r#"{"id": 7}"#]].concat();
    judge(stage, &format!("{name}-tls"), || {
        load(context, &server, engine, "GetUser", &flags)
    });
    server.end();
    Ok(())
}

fn start(context: &Context, family: &Family, more: &[&Path]) -> Result<Server, Failure> {
    let mut command = Command::new(&family.program);
    command.args(&family.arguments).args(more);
    let log = context.logs.join(format!("peer-{}.log", family.name));
    Server::start(&mut command, None, &log)
}

/// Creates a self-signed certificate for localhost, and its key.
pub fn certificate(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    fs::create_dir_all(folder).attempt(|| format!("make {folder:?}"))?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert);
    finish(&mut openssl, "make a certificate with openssl")?;
    Ok((cert, key))
}

fn judge(stage: &mut Stage, name: &str, run: impl FnOnce() -> Result<(), Failure>) {
    match run() {
        Ok(()) => stage.note(format!("ok {name}")),
        Err(failure) => stage.fault(format!("{name}: {failure}")),
    }
}

/// Runs the load generator once; calls must have been made, and none may have failed.
fn load(
    context: &Context,
    server: &Server,
    engine: &str,
    method: &str,
    flags: &[&str],
) -> Result<(), Failure> {
    let report = context.logs.join("peer-report.json");
    let mut command = Command::new(context.target.join("debug/corespun-load"));
    command
        .args(["run", "--target", &server.address, "--engine", engine])
        .args(["--method", &format!("user.UserService/{method}")])
        .args(["--duration", "300ms", "--warmup", "200ms", "--strict"])
        .args(["--connections", "2", "--streams", "2"])
        .args(flags)
        .arg("--json")
        .arg(&report);
    finish(&mut command, "run corespun-load")?;
    let text = fs::read_to_string(&report).attempt(|| format!("read {report:?}"))?;
    let found: Value = serde_json::from_str(&text).attempt(|| format!("understand {report:?}"))?;
    let good = found["ok"].as_u64().unwrap_or_default() > 0;
    if good
        && found["failed"]
            .as_object()
            .is_some_and(|failed| failed.is_empty())
    {
        return Ok(());
    }
    let said = format!("{} good, failed: {}", found["ok"], found["failed"]);
    Err(Failure::new("get good answers only", said))
}
