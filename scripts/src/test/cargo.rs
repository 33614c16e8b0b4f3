//! Stages that cargo runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Context, Stage};
use crate::failure::{Attempt, Failure};
use crate::workspace;

/// Folders of the crates that open sockets; only these are tested on a second engine.
const ON_SOCKETS: &[&str] = &[
    "runtime", "tls", "server", "client", "auth", "otel", "examples", "corespun", "loadgen",
    "benches",
];

fn cargo(context: &Context, arguments: &[&str]) -> Command {
    let mut command = workspace::cargo(&context.root);
    command.args(arguments);
    command
}

/// Checks that rustfmt would change nothing.
pub fn fmt(context: &Context, stage: &mut Stage) {
    stage.command(&mut cargo(context, &["fmt", "--all", "--check"]));
}

/// Checks that Clippy reports nothing.
pub fn clippy(context: &Context, stage: &mut Stage) {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    stage.command(&mut cargo(context, &arguments));
}

/// Checks that the docs build without a warning.
pub fn doc(context: &Context, stage: &mut Stage) {
    let mut command = cargo(context, &["doc", "--workspace", "--no-deps"]);
    stage.command(command.env("RUSTDOCFLAGS", "-D warnings"));
}

/// Checks that everything compiles, including the programs that later stages start.
pub fn build(context: &Context, stage: &mut Stage) {
    stage.command(&mut cargo(
        context,
        &["build", "--workspace", "--all-targets"],
    ));
}

/// Runs all tests on io_uring.
pub fn test_uring(context: &Context, stage: &mut Stage) {
    match &context.no_uring {
        Some(reason) => stage.skip("uring", reason),
        None => test_everything(context, stage, "uring"),
    }
}

/// Runs the tests on sockets on epoll, or all tests if io_uring is unavailable.
pub fn test_epoll(context: &Context, stage: &mut Stage) {
    if context.no_uring.is_some() {
        return test_everything(context, stage, "epoll");
    }
    // Naming a few packages to cargo would choose other features for their dependencies and
    // compile those again, so the programs of the first engine are run as they are.
    let programs = match test_programs(context) {
        Ok(programs) => programs,
        Err(failure) => return stage.fault(failure),
    };
    for (folder, program) in programs {
        let mut command = Command::new(program);
        command
            .current_dir(&folder)
            .env("CARGO_MANIFEST_DIR", &folder)
            .arg("--show-output");
        stage.command(command.env("CORESPUN_ENGINE", "epoll"));
    }
}

fn test_everything(context: &Context, stage: &mut Stage, engine: &str) {
    let mut command = cargo(context, &["test", "--workspace", "--no-fail-fast"]);
    // Output must be shown, because a passing test prints there what it skipped.
    command
        .args(["--", "--show-output"])
        .env("CORESPUN_ENGINE", engine);
    stage.command(&mut command);
}

/// Returns the test programs of the crates that open sockets, each with its crate's folder.
fn test_programs(context: &Context) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut command = cargo(context, &["test", "--workspace", "--no-run", "--quiet"]);
    let output = command.arg("--message-format=json").output();
    let output = output.attempt(|| "start cargo".into())?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new("build the tests", why));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let programs: Vec<_> = text
        .lines()
        .filter_map(|line| test_program(context, line))
        .collect();
    if programs.is_empty() {
        return Err(Failure::new("find the test programs", "cargo named none"));
    }
    Ok(programs)
}

/// Returns the test program in one of cargo's messages; most messages have none.
fn test_program(context: &Context, message: &str) -> Option<(PathBuf, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool()?;
    let is_bench = message["target"]["kind"][0].as_str()? == "bench";
    let program = message["executable"].as_str()?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let room = folder.strip_prefix(&context.root).ok()?.to_str()?;
    let wanted = is_test && !is_bench && ON_SOCKETS.contains(&room);
    wanted.then(|| (folder.to_owned(), PathBuf::from(program)))
}

/// Runs every bench once without measuring, as criterion does when cargo runs it as a test.
pub fn bench(context: &Context, stage: &mut Stage) {
    let is_bench =
        |path: &String| path.contains("/benches/") || path.starts_with("benches/benches/");
    let any = workspace::files(&context.root).is_ok_and(|files| {
        files
            .iter()
            .any(|path| is_bench(path) && path.ends_with(".rs"))
    });
    if !any {
        return stage.skip("bench", "the workspace has no benches");
    }
    stage.command(&mut cargo(
        context,
        &["test", "--workspace", "--bench", "*"],
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_on_sockets_are_programs() {
        let context = Context {
            root: "/w".into(),
            target: "/w/target".into(),
            logs: "/w/logs".into(),
            no_uring: None,
        };
        let message = |kind: &str, room: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/{room}/Cargo.toml",
                "target":{{"kind":["{kind}"]}},"profile":{{"test":{test}}},"executable":"/w/x"}}"#
            )
        };
        let check = |text: &str, expected: bool| {
            assert_eq!(test_program(&context, text).is_some(), expected, "{text}");
        };
        check(&message("lib", "server", true), true);
        check(&message("lib", "http2", true), false);
        check(&message("bin", "examples", false), false);
        check(&message("bench", "server", true), false);
        check(r#"{"reason":"build-finished","success":true}"#, false);
    }
}
