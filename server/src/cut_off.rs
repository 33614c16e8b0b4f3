//! What the end of a server has cut off.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was still open when a server ended: because the grace of its drain was over, or because it
/// was told to end at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutOff {
    /// Connections that had not ended.
    pub connections: u64,
    /// Calls on them that had not ended, or whose replies had not gone out whole.
    pub calls: u64,
    /// Calls that came after the last one that their connection's GOAWAY admitted. They were not
    /// processed, and their callers were told so: gRPC makes such calls again by itself.
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

/// The counts while they grow; all clones show the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    calls: AtomicU64,
    late_calls: AtomicU64,
}

impl CutCounts {
    /// A connection is cut off with so many calls.
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
