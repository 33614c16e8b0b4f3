//! Tools of other projects: installed once under the target folder, and run with a time limit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::failure::{Attempt, Failure};
use crate::process::{kill_tree, wait_at_most};
use crate::test::Context;

/// Longest time to fetch and compile a tool.
const INSTALL_MAX: Duration = Duration::from_secs(400);

/// Tool at one version.
pub struct Tool {
    /// Name of its folder, with its version, so that versions are installed side by side.
    pub folder: &'static str,
    /// Programs of the tool.
    pub programs: &'static [&'static str],
}

impl Tool {
    /// Returns the folder of the programs. If they are missing, runs `command`, which must install
    /// them into its `bin`. A failure is a limitation of this machine, not a fault of the project.
    pub fn install(
        &self,
        context: &Context,
        command: impl FnOnce(&Path) -> Command,
    ) -> Result<PathBuf, Failure> {
        let folder = context.target.join("suites").join(self.folder);
        let programs = folder.join("bin");
        if self
            .programs
            .iter()
            .all(|name| programs.join(name).is_file())
        {
            return Ok(programs);
        }
        fs::create_dir_all(&programs).attempt(|| format!("make {programs:?}"))?;
        let log = context.logs.join(format!("install-{}.log", self.folder));
        let what = || format!("install {}", self.folder);
        let status = run(&mut command(&folder), &log, INSTALL_MAX)?;
        if status.success() {
            return Ok(programs);
        }
        let text = fs::read_to_string(&log).unwrap_or_default();
        Err(Failure::new(
            what(),
            text.trim().lines().last().unwrap_or("no output"),
        ))
    }
}

/// Returns the command that installs Go programs into the `bin` of `folder`; each is
/// `package@version`.
pub fn go_install(context: &Context, folder: &Path, packages: &[String]) -> Command {
    let mut go = Command::new("go");
    go.args(["install", "-modcacherw"]).args(packages);
    go.env("GOPATH", context.target.join("go"));
    go.env("GOBIN", folder.join("bin"));
    go
}

/// Runs a command to its end, with both outputs in `log`.
///
/// # Errors
///
/// The command did not start, or took longer than `limit` and was killed.
pub fn run(command: &mut Command, log: &Path, limit: Duration) -> Result<ExitStatus, Failure> {
    run_reading(command, Stdio::null(), log, limit)
}

/// Runs a command with input to its end, with both outputs in `log`.
pub fn run_reading(
    command: &mut Command,
    input: Stdio,
    log: &Path,
    limit: Duration,
) -> Result<ExitStatus, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let file = File::create(log).attempt(|| format!("make {log:?}"))?;
    let copy = file.try_clone().attempt(|| format!("share {log:?}"))?;
    command.stdin(input).stdout(file).stderr(copy);
    let mut child = command.spawn().attempt(|| format!("start {name}"))?;
    if let Some(status) = wait_at_most(&mut child, limit)? {
        return Ok(status);
    }
    kill_tree(&mut child);
    let why = format!("killed after {} s", limit.as_secs());
    Err(Failure::new(format!("run {name}"), why))
}

/// Runs a command to its end, with both outputs in `log`, and returns the content of `log`.
pub fn output(command: &mut Command, log: &Path, limit: Duration) -> Result<String, Failure> {
    run(command, log, limit)?;
    let bytes = fs::read(log).attempt(|| format!("read {log:?}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
