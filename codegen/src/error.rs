//! What can go wrong between a proto and its Rust.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no Rust. It is shown the same by `Display` and `Debug`, so that `unwrap` in a
/// build script tells all there is to tell.
pub struct Error(Kind);

pub(crate) enum Kind {
    /// With the place, as the compiler gives it: `file:line:column: text`.
    Proto(String),
    Messages(io::Error),
    SameName {
        service: String,
        first: String,
        second: String,
        name: String,
    },
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

impl From<protox::Error> for Error {
    fn from(error: protox::Error) -> Self {
        // Only the debug form has the line.
        let mut text = format!("{error:?}");
        if let Some(file) = error.file().filter(|file| !text.contains(file)) {
            text = format!("{file}: {text}");
        }
        Self(Kind::Proto(text))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Proto(text) => write!(f, "failed to compile the protos: {text}"),
            Kind::Messages(source) => write!(f, "failed to generate messages: {source}"),
            Kind::SameName {
                service,
                first,
                second,
                name,
            } => write!(
                f,
                "failed to name the methods of {service}: {first} and {second} are both {name}"
            ),
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
