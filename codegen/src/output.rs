//! Generated files, and the folder that they are written to.

use crate::error::{Error, Kind};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, io};

/// Generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Name within the output folder, such as `user.rs`.
    pub name: String,
    /// Content: Rust, or the encoded descriptor set.
    pub bytes: Vec<u8>,
}

/// Files that this process has written. A build script may call `compile` twice. If the second call
/// replaced a file of the first, reflection would describe the wrong files.
static WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Returns the chosen folder, or the folder that Cargo gives to build scripts.
pub(crate) fn folder(chosen: Option<&Path>) -> Result<PathBuf, Error> {
    let chosen = chosen.map(Path::to_owned);
    chosen
        .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from))
        .ok_or(Kind::NoOutDir.into())
}

/// Writes a file unless its content is unchanged, so that Cargo sees an unchanged modification
/// time.
pub(crate) fn write(folder: &Path, file: &File) -> Result<(), Error> {
    let path = folder.join(&file.name);
    let present = match fs::read(&path) {
        Ok(present) => Some(present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::write(&path, error)),
    };
    let same = present.is_some_and(|present| present == file.bytes);
    let first = WRITTEN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(path.clone());
    match (same, first) {
        (true, _) => Ok(()),
        (false, true) => fs::write(&path, &file.bytes).map_err(|error| Error::write(&path, error)),
        (false, false) => Err(Kind::WrittenTwice(path).into()),
    }
}

/// Returns a file with `bytes` as a Rust expression, because protoc plugins can write only text.
pub(crate) fn rust_bytes(name: String, bytes: &[u8]) -> File {
    use std::fmt::Write;
    /// Number of bytes in a line of the literal.
    const LINE: usize = 24;
    let mut text = "b\"".to_owned();
    for line in bytes.chunks(LINE) {
        text.push_str("\\\n");
        for byte in line {
            // A `String` takes whatever is written to it.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push_str("\"\n");
    File {
        name,
        bytes: text.into_bytes(),
    }
}
