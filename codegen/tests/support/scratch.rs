//! Folder for the proto files and output of one test.

use corespun_build::{Builder, Error, configure};
use std::fs;
use std::path::PathBuf;

/// Returns an empty folder for this test.
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

/// Compiles all of `protos` with default options.
pub fn compile(name: &str, protos: &[(&str, &[u8])]) -> Result<PathBuf, Error> {
    let wanted: Vec<_> = protos.iter().map(|(file, _)| *file).collect();
    compile_with(name, configure(), protos, &wanted)
}
