//! Runs a `protoc` that the user chose instead of the built-in compiler.

use crate::compiler::{Compiled, Includes};
use crate::error::{Error, Kind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) fn run(
    program: &Path,
    arguments: &[String],
    protos: &[&Path],
    includes: &[&Path],
) -> Result<Compiled, Error> {
    let failed = |cause: String| {
        Error::from(Kind::Protoc {
            program: program.to_owned(),
            cause,
        })
    };
    let folders = Includes::new(includes);
    let mut command = Command::new(program);
    command.args(["--include_imports", "--include_source_info"]);
    command.arg("--descriptor_set_out=/dev/stdout");
    for include in includes {
        let mut argument = std::ffi::OsString::from("-I");
        argument.push(include);
        command.arg(argument);
    }
    command.args(arguments);
    for proto in protos {
        // What protoc has built in need not be in a folder.
        let found = folders.locate(proto)?.path;
        command.arg(found.unwrap_or_else(|| (*proto).to_owned()));
    }
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let told = match told.trim() {
            "" => output.status.to_string(),
            told => told.to_owned(),
        };
        return Err(failed(told));
    }
    let paths: Vec<PathBuf> = corespun_descriptor::files(&output.stdout)?
        .iter()
        .filter_map(|file| folders.find(&file.name))
        .collect();
    Ok(Compiled {
        set: output.stdout,
        paths,
    })
}
