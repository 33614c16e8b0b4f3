//! Errors of keys.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Reason why the keys that verify tokens cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A key, or a set of keys, has invalid content.
    Content {
        /// Path of the file, or description of the key.
        name: String,
        /// Reason why the content is invalid.
        reason: String,
    },
}

impl KeyError {
    pub(crate) fn content(name: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Content {
            name: name.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(f, "failed to read {}: {source}", path.display())
            }
            Self::Content { name, reason } => write!(f, "failed to use {name}: {reason}"),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Content { .. } => None,
        }
    }
}
