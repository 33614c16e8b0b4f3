//! One trace through three programs, as a real OpenTelemetry collector has it: Python's caller with
//! its own instrumentation, a server of ours that asks another one of ours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Python, finish, program, users_server};
use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::test::{Context, Stage};
use crate::{peers, workspace};

/// Source files of the collector.
const SOURCES: &[&str] = &["main.go", "go.mod", "go.sum"];

/// Makes the calls, then looks at what the collector wrote down.
pub(super) fn run(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let collector = match build(context) {
        Ok(collector) => collector,
        Err(reason) => {
            stage.skip(&format!("traces-{engine}"), reason);
            return Ok(());
        }
    };
    let folder = workspace::scratch(&context.root, &format!("test-traces-{engine}"))?;
    let spans = folder.join("spans.json");
    let log = |name: &str| context.logs.join(format!("traces-{engine}-{name}.log"));
    let mut command = Command::new(collector);
    let collector = Server::start(command.arg(&spans), None, &log("collector"))?;
    let otlp = format!("http://{}", collector.address);

    let mut command = users_server(context, engine)?;
    let users = Server::start_on(command.args(["--otlp", &otlp]), engine, &log("users"))?;
    let mut command = program(context, "users-relay");
    // Told by the environment, as deployments have it.
    command.args(["--shards", "2", "--otlp", "--next", &users.address]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &otlp);
    let relay = Server::start_on(&mut command, engine, &log("relay"))?;
    let mut caller = python.script("traced_client.py", "full");
    let has_called = stage.command(caller.args([&relay.address, &otlp]));
    // Each sends its last spans at its end, and the collector writes its last lines.
    finish(relay, stage, "traced_client.py_then_drain_of_the_relay");
    finish(users, stage, "traced_client.py_then_drain");
    collector.stop()?;
    if has_called {
        stage.command(python.script("trace_cases.py", "full").arg(&spans));
    }
    Ok(())
}

/// Builds the collector, once: what it is built from takes much room, and is not kept.
fn build(context: &Context) -> Result<PathBuf, Failure> {
    let sources = context.root.join("scripts/go/collector");
    let folder = context.target.join("collector");
    let (program, mark) = (folder.join("collector"), folder.join("built"));
    let mut wanted = String::new();
    for name in SOURCES {
        let path = sources.join(name);
        wanted += &fs::read_to_string(&path).attempt(|| format!("read {path:?}"))?;
    }
    if program.exists() && fs::read_to_string(&mark).is_ok_and(|built| built == wanted) {
        return Ok(program);
    }
    let modules = folder.join("modules");
    let mut go = Command::new("go");
    go.args([
        "build",
        "-modcacherw",
        "-trimpath",
        "-ldflags",
        "-s -w",
        "-o",
    ])
    .arg(&program)
    .arg(".")
    .current_dir(&sources)
    .env("GOPATH", &modules)
    .env("GOCACHE", modules.join("cache"));
    let built = peers::finish(&mut go, "build the OpenTelemetry collector");
    // Left behind, it would cost room and nothing else.
    let _ = fs::remove_dir_all(&modules);
    built?;
    fs::write(&mark, wanted).attempt(|| format!("write {mark:?}"))?;
    Ok(program)
}
