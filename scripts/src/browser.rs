//! Browser stage: pages in Chromium call our echo service by gRPC-Web.
//!
//! The pages use the common libraries, `@connectrpc/connect-web` and `grpc-web`, which are
//! installed under the target folder. Without Node or Chromium the stage is skipped with a message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::peers;
use crate::test::{Context, Stage};
use crate::workspace;

/// Files of the npm package that the stage installs.
const FILES: &[&str] = &["package.json", "package-lock.json", "page.js", "run.js"];

/// Names of the Chromium program.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// Runs all cases on each available engine.
pub fn run(context: &Context, stage: &mut Stage) {
    let (chromium, folder, keys) = match prepare(context) {
        Ok(found) => found,
        Err(reason) => return stage.skip("chromium", reason),
    };
    let mut build = workspace::cargo(&context.root);
    build
        // Built together with the tests, so that cargo selects equal features and recompiles
        // nothing.
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "echo",
            "--test",
            "probes",
        ]);
    if !stage.command(&mut build) {
        return;
    }
    for engine in ["uring", "epoll"] {
        if let Some(reason) = context.no_uring.as_ref().filter(|_| engine == "uring") {
            stage.skip("browser-uring", reason);
            continue;
        }
        let mut node = Command::new("node");
        node.current_dir(&folder)
            .arg("run.js")
            .arg(&chromium)
            .arg(context.target.join("debug/echo"))
            .arg(engine)
            .args([&keys.0, &keys.1]);
        stage.command(&mut node);
    }
}

/// Requirements of a run: the browser, the folder of its scripts, and a certificate with its key.
type Prepared = (PathBuf, PathBuf, (PathBuf, PathBuf));

fn prepare(context: &Context) -> Result<Prepared, Failure> {
    let chromium = chromium()?;
    let folder = context.target.join("browser");
    peers::npm(&context.root.join("scripts/browser"), FILES, &folder)?;
    let keys = peers::certificate(&folder.join("certificates"))?;
    Ok((chromium, folder, keys))
}

/// Returns the browser of this machine; installs it if it is missing and that is permitted.
fn chromium() -> Result<PathBuf, Failure> {
    if let Some(found) = found() {
        return Ok(found);
    }
    for arguments in [&["update"][..], &["install", "--yes", "chromium"]] {
        // Without a network it may retry for long.
        let mut apt = Command::new("timeout");
        apt.args(["300", "apt-get", "--quiet"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        peers::finish(&mut apt, "install chromium with apt-get")?;
    }
    found().ok_or_else(|| Failure::new("find chromium", "apt-get has installed none"))
}

fn found() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| {
        let mut programs = BROWSERS.iter().map(|name| folder.join(name));
        programs.find(|program| is_file(program))
    })
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}
