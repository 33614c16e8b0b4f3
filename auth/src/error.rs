//! Why keys cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the keys that tokens are checked with cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A key, or a set of them, is not what it should be.
    Content {
        /// The file, or what the key was given as.
        name: String,
        /// What is wrong with it.
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
