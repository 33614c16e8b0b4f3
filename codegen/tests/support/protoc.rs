//! Finds a `protoc` on this machine, for tests that compare with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Returns a `protoc`: `PROTOC`, one in the path, or that of Python's grpcio-tools behind a script.
pub fn protoc() -> Option<PathBuf> {
    let works = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let named = std::env::var_os("PROTOC").map(PathBuf::from);
    let candidates = [named, Some(PathBuf::from("protoc")), grpc_tools()];
    candidates.into_iter().flatten().find(works)
}

/// Returns the Python with grpcio-tools that `scripts/test` installs, or the system's Python.
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

/// Returns the folder of the well-known files in grpcio-tools.
pub fn grpc_tools_includes() -> Option<PathBuf> {
    let script = "import grpc_tools; print(grpc_tools.__path__[0])";
    let output = Command::new(python()).args(["-c", script]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    let folder = PathBuf::from(folder.trim()).join("_proto");
    folder.is_dir().then_some(folder)
}
