//! Errors of shards: when they start, and while they run.

use std::error::Error;
use std::fmt;
use std::io;

use crate::address::Address;
use crate::engine::Engine;

/// Reason that a runtime or a local shard did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Listening on an address failed.
    Listen {
        /// Address as given.
        address: Address,
        /// Error of the system call.
        source: io::Error,
    },
    /// The requested engine does not work on this machine.
    Engine {
        /// Engine that was tried.
        engine: Engine,
        /// Error of the system call.
        source: io::Error,
    },
    /// A shard cannot be pinned to its CPU.
    Pin {
        /// CPU that this process may not use.
        cpu: usize,
    },
    /// The settings contradict each other or are empty.
    Settings(String),
    /// A shard's thread, mailbox or signals cannot be set up.
    Shard {
        /// Number of the shard.
        shard: usize,
        /// Error of the system call.
        source: io::Error,
    },
    /// The service factory failed on a shard.
    Service {
        /// Number of the shard.
        shard: usize,
        /// Error that the factory returned.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => {
                write!(f, "failed to listen on {address}: {source}")
            }
            Self::Engine { engine, source } => {
                write!(f, "failed to set up engine {engine}: {source}")
            }
            Self::Pin { cpu } => write!(
                f,
                "failed to pin a shard to CPU {cpu}: this process may not use it"
            ),
            Self::Settings(what) => write!(f, "failed to start shards: {what}"),
            Self::Shard { shard, source } => write!(f, "failed to start shard {shard}: {source}"),
            Self::Service { shard, source } => {
                write!(f, "failed to make the service of shard {shard}: {source}")
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::Engine { source, .. }
            | Self::Shard { source, .. } => Some(source),
            Self::Service { source, .. } => Some(&**source),
            Self::Pin { .. } | Self::Settings(_) => None,
        }
    }
}

/// Reason that a started runtime ended with an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A shard stopped by itself.
    Shard {
        /// Number of the shard.
        shard: usize,
        /// Reason, as text.
        reason: String,
    },
    /// Waiting for signals failed.
    Signals(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard { shard, reason } => write!(f, "failed to run shard {shard}: {reason}"),
            Self::Signals(source) => write!(f, "failed to wait for signals: {source}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Shard { .. } => None,
            Self::Signals(source) => Some(source),
        }
    }
}
