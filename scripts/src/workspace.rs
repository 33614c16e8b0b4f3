//! Workspace: its root, its files, and the build of its programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Attempt, Failure};

/// Folders without files of the project.
const FOREIGN: &[&str] = &["target", "node_modules", "__pycache__", ".git"];

/// Returns the folder of the root `Cargo.toml`.
pub fn root() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().attempt(|| "read the current folder".into())?;
    let holds_workspace = |folder: &&Path| {
        fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
    };
    let found = here
        .ancestors()
        .find(holds_workspace)
        .map(Path::to_path_buf);
    found.ok_or_else(|| Failure::new("find the workspace", format!("none above {here:?}")))
}

/// Returns the files of the project below `root`, as sorted relative paths.
pub fn files(root: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).attempt(|| format!("list {folder:?}"))?;
        for entry in entries {
            let entry = entry.attempt(|| format!("list {folder:?}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if path.is_dir() {
                if !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                found.push(path.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one file of the workspace.
pub fn read(root: &Path, path: &str) -> Result<String, Failure> {
    fs::read_to_string(root.join(path)).attempt(|| format!("read {path}"))
}

/// Returns the folder that cargo builds into; creates it if it is missing.
pub fn target(root: &Path) -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let target = root.join(target);
    fs::create_dir_all(&target).attempt(|| format!("make {target:?}"))?;
    Ok(target)
}

/// Creates a new, empty folder `name` under the target folder.
pub fn scratch(root: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = target(root)?.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).attempt(|| format!("clear {folder:?}"))?;
    }
    fs::create_dir_all(&folder).attempt(|| format!("make {folder:?}"))?;
    Ok(folder)
}

/// Builds the named programs for measurement, and returns their folder.
pub fn build_release(root: &Path, programs: &[&str]) -> Result<PathBuf, Failure> {
    println!("building {} (release)", programs.join(", "));
    let mut cargo = cargo(root);
    cargo.args(["build", "--release", "--workspace"]);
    for program in programs {
        cargo.args(["--bin", program]);
    }
    let status = cargo.status().attempt(|| "start cargo".into())?;
    if !status.success() {
        return Err(Failure::new("build the programs", status));
    }
    Ok(target(root)?.join("release"))
}

/// Returns a cargo command as if a user had called it in `folder`, without the variables that cargo
/// set for this program.
///
/// Build scripts of other crates read those variables. They would run again, and their dependents
/// would be compiled again, whenever a task follows a call by hand.
pub fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if is_about_this_program(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn is_about_this_program(variable: &str) -> bool {
    let prefixes = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_CRATE_",
        "CARGO_BIN_",
    ];
    prefixes.iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_of_the_program_that_calls_it() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "cargo test");
        let cargo = cargo(Path::new("."));
        let gone: Vec<_> = cargo
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .collect();
        let about = |name: &str| gone.iter().any(|(key, _)| *key == name);
        assert!(about("CARGO_PKG_NAME") && about("CARGO_MANIFEST_DIR"));
        assert!(!about("CARGO_HOME") && !about("PATH"));
    }
}
