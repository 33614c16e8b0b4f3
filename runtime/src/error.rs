//! What can go wrong when shards start and while they run.

use std::error::Error;
use std::fmt;
use std::io;

use crate::address::Address;
use crate::engine::Engine;

/// Why a runtime or a local shard did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    Listen {
        /// The address as it was given.
        address: Address,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The engine asked for does not work on this machine.
    Engine {
        /// The engine that was tried.
        engine: Engine,
        /// What the kernel answered.
        source: io::Error,
    },
    /// A shard cannot be pinned to its CPU.
    Pin {
        /// The CPU that is not among those this process may use.
        cpu: usize,
    },
    /// The settings contradict each other or ask for nothing.
    Settings(String),
    /// A shard's thread, its mailbox or its signals cannot be set up.
    Shard {
        /// The shard.
        shard: usize,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The service factory failed on a shard.
    Service {
        /// The shard.
        shard: usize,
        /// What the factory answered.
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

/// Why a runtime that had started did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A shard stopped on its own.
    Shard {
        /// The shard.
        shard: usize,
        /// Why.
        reason: String,
    },
    /// Signals cannot be waited for.
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
