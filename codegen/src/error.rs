//! Errors of code generation.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Reason that no code was generated. `Display` and `Debug` show the same text, so that `unwrap` in
/// a build script prints the whole cause.
pub struct Error(Kind);

pub(crate) enum Kind {
    /// The list of files is empty.
    NoProtos,
    /// A proto file is wrong; the text is `file:line:column: cause`.
    Proto(String),
    NotFound {
        path: String,
        cause: String,
        folders: Vec<PathBuf>,
    },
    Protoc {
        program: PathBuf,
        cause: String,
    },
    Descriptors(String),
    Messages(io::Error),
    SameName {
        first: String,
        second: String,
        name: String,
    },
    NoName(String),
    Option(String),
    NoOutDir,
    Write {
        path: PathBuf,
        source: io::Error,
    },
    WrittenTwice(PathBuf),
}

impl Error {
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self(Kind::Write {
            path: path.to_owned(),
            source,
        })
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl From<corespun_descriptor::Error> for Error {
    fn from(error: corespun_descriptor::Error) -> Self {
        Self(Kind::Descriptors(error.to_string()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NoProtos => f.write_str("failed to compile the protos: the list is empty"),
            Kind::Proto(text) => write!(f, "failed to compile the protos: {text}"),
            Kind::NotFound {
                path,
                cause,
                folders,
            } => {
                write!(f, "failed to compile the protos: {path}: {cause}")?;
                looked_in(f, folders)
            }
            Kind::Protoc { program, cause } => {
                write!(f, "failed to run {}: {cause}", program.display())
            }
            Kind::Descriptors(text) => write!(f, "failed to read descriptors: {text}"),
            Kind::Messages(source) => write!(f, "failed to generate messages: {source}"),
            Kind::SameName {
                first,
                second,
                name,
            } => write!(
                f,
                "failed to name {second}: it is {name} in Rust, as {first} is"
            ),
            Kind::NoName(item) => write!(f, "failed to name {item}: nothing of it is left in Rust"),
            Kind::Option(text) => write!(f, "failed to configure the build: {text}"),
            Kind::NoOutDir => f.write_str(
                "failed to find OUT_DIR: call this from a build script, or set an out_dir",
            ),
            Kind::Write { path, source } => {
                write!(f, "failed to write {}: {source}", path.display())
            }
            Kind::WrittenTwice(path) => write!(
                f,
                "failed to write {}: an earlier compile call wrote other text there; compile the \
                 files of one package together, and give each call its file_descriptor_set name",
                path.display()
            ),
        }
    }
}

/// Writes the folders that were searched, and marks those that do not exist.
fn looked_in(f: &mut fmt::Formatter<'_>, folders: &[PathBuf]) -> fmt::Result {
    if folders.is_empty() {
        return f.write_str("; no folder was given to look in");
    }
    f.write_str("; looked in ")?;
    for (index, folder) in folders.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let missing = if folder.is_dir() {
            ""
        } else {
            " (no such folder)"
        };
        write!(f, "{comma}{}{missing}", folder.display())?;
    }
    Ok(())
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Messages(source) | Kind::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
