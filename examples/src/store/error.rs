//! Errors of a store and its file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Database that cannot be used, with the reason.
#[derive(Debug)]
pub struct OpenError {
    /// Path of the file as it was given.
    pub path: PathBuf,
    /// Reason why the database cannot be used.
    pub cause: OpenCause,
}

/// Reason why a database cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenCause {
    /// The file cannot be created, read or written.
    File(io::Error),
    /// SQLite cannot read the file.
    Sqlite(rusqlite::Error),
}

impl OpenError {
    /// Adds `path` to an error of `open`.
    pub(super) fn wrap<T>(
        path: &Path,
        open: impl FnOnce() -> Result<T, OpenCause>,
    ) -> Result<T, Self> {
        open().map_err(|cause| Self {
            path: path.to_owned(),
            cause,
        })
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to open the database {}: ", self.path.display())?;
        match &self.cause {
            OpenCause::File(error) => error.fmt(f),
            OpenCause::Sqlite(error) => error.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            OpenCause::File(error) => Some(error),
            OpenCause::Sqlite(error) => Some(error),
        }
    }
}

impl From<io::Error> for OpenCause {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<rusqlite::Error> for OpenCause {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Reason why no user of an import was stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// The id is taken, by a stored user or by one earlier in the import.
    Exists {
        /// Index of the user, from 0.
        index: usize,
        /// Id of the user.
        id: i32,
    },
    /// The client of the import has left.
    Abandoned,
    /// The database cannot be written.
    Sqlite(rusqlite::Error),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to import: ")?;
        match self {
            Self::Exists { index, id } => {
                write!(f, "user at index {index}: id {id} exists already")
            }
            Self::Abandoned => f.write_str("nobody waits for it any more"),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

impl Error for ImportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Exists { .. } | Self::Abandoned => None,
        }
    }
}

impl From<rusqlite::Error> for ImportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
