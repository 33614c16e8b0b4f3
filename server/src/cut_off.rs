//! Counts of connections and calls that the end of a server cut off.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Connections and calls that were still open when a server ended, because the grace of its drain
/// was over or it was told to end at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutOff {
    /// Connections that had not ended.
    pub connections: u64,
    /// Calls that had not ended, or whose replies were not fully sent.
    pub calls: u64,
    /// Calls received after the last stream that the GOAWAY of their connection admitted. They were
    /// not processed and GOAWAY says so, so gRPC clients retry them by themselves.
    pub late_calls: u64,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connections,
            calls,
            late_calls,
        } = self;
        write!(
            f,
            "cut off: {connections} connections with {calls} calls; late calls: {late_calls}"
        )
    }
}

/// Running counts; all clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    calls: AtomicU64,
    late_calls: AtomicU64,
}

impl CutCounts {
    /// Counts a connection that is cut off with `calls` open calls.
    pub(crate) fn add_connection(&self, calls: usize) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        self.0.calls.fetch_add(calls as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_late_calls(&self, calls: u64) {
        self.0.late_calls.fetch_add(calls, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> CutOff {
        CutOff {
            connections: self.0.connections.load(Ordering::Relaxed),
            calls: self.0.calls.load(Ordering::Relaxed),
            late_calls: self.0.late_calls.load(Ordering::Relaxed),
        }
    }
}
