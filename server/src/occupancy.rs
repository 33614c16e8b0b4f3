//! Number of connections of a server, over all its shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of open connections and its maximum. Accessed when a connection is accepted or closed,
/// never by a call.
#[derive(Debug)]
pub(crate) struct Occupancy {
    open: AtomicUsize,
    max: usize,
}

/// One counted connection; dropping it frees its place.
#[derive(Debug)]
pub(crate) struct Place(Arc<Occupancy>);

impl Occupancy {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let open = AtomicUsize::new(0);
        Arc::new(Self { open, max })
    }

    /// Returns a place for one more connection; `None` at the maximum.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let more = |open: usize| (open < self.max).then_some(open + 1);
        let entered = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.ok().map(|_| Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.0.open.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "left more often than entered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let occupancy = Occupancy::new(2);
        let first = occupancy.enter();
        let second = occupancy.enter();
        assert!(first.is_some() && second.is_some() && occupancy.enter().is_none());
        drop(first);
        let third = occupancy.enter();
        assert!(third.is_some() && occupancy.enter().is_none());
        assert!(Occupancy::new(0).enter().is_none());
    }
}
