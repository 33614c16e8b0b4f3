//! Protos and output of one test, in a folder of its own.

#![allow(dead_code)]

use corespun_build::{Builder, Error, configure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Returns an empty folder of this test's own.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes `protos` to a folder `name` and compiles those of `wanted` into it.
pub fn compile_with(
    name: &str,
    builder: Builder,
    protos: &[(&str, &[u8])],
    wanted: &[&str],
) -> Result<PathBuf, Error> {
    let folder = folder(name);
    for (file, text) in protos {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let builder = builder.out_dir(&folder).emit_rerun_if_changed(false);
    builder.compile(wanted, &[&folder])?;
    Ok(folder)
}

/// Compiles all of `protos` with the usual options.
pub fn compile(name: &str, protos: &[(&str, &[u8])]) -> Result<PathBuf, Error> {
    let wanted: Vec<_> = protos.iter().map(|(file, _)| *file).collect();
    compile_with(name, configure(), protos, &wanted)
}

/// Returns a `protoc` of this machine: `PROTOC`, one in the path, or that of Python's
/// grpcio-tools behind a script.
pub fn protoc() -> Option<PathBuf> {
    let works = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let named = std::env::var_os("PROTOC").map(PathBuf::from);
    let candidates = [named, Some(PathBuf::from("protoc")), grpc_tools()];
    candidates.into_iter().flatten().find(works)
}

/// Python with grpcio-tools, as `scripts/test` installs it, or the system's.
fn python() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/python/venv/bin/python3");
    if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    }
}

fn grpc_tools() -> Option<PathBuf> {
    let name = format!("protoc-{}", std::process::id());
    let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = python();
    let text = format!(
        "#!/bin/sh\nexec {} -m grpc_tools.protoc \"$@\"\n",
        python.display()
    );
    fs::write(&script, text).ok()?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).ok()?;
    Some(script)
}

/// Folder of the well-known files that grpcio-tools brings.
pub fn grpc_tools_includes() -> Option<PathBuf> {
    let script = "import grpc_tools; print(grpc_tools.__path__[0])";
    let output = Command::new(python()).args(["-c", script]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    let folder = PathBuf::from(folder.trim()).join("_proto");
    folder.is_dir().then_some(folder)
}
