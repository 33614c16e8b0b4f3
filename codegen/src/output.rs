//! Files of generated text, and the folder they go to.

use crate::error::{Error, Kind};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, io};

/// One generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name within the output folder: `user.rs`.
    pub name: String,
    /// Content: Rust, or the descriptor set in protobuf's binary form.
    pub bytes: Vec<u8>,
}

/// Files that this process has written. A build script may call `compile` twice; that the second
/// call replaces a file of the first would show only as a reflection that answers for other files.
static WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The folder that was chosen, or else the one that Cargo gives to build scripts.
pub(crate) fn folder(chosen: Option<&Path>) -> Result<PathBuf, Error> {
    let chosen = chosen.map(Path::to_owned);
    chosen
        .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from))
        .ok_or(Kind::NoOutDir.into())
}

/// Writes a file, unless it holds the same already: its age then tells Cargo that nothing changed.
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

/// A file with `bytes` as an expression of Rust, because plugins of protoc write text alone.
pub(crate) fn rust_bytes(name: String, bytes: &[u8]) -> File {
    use std::fmt::Write;
    /// Bytes in a line of the literal.
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
