//! Counters of the connections of a shard, for channelz.
//!
//! The counters are plain cells of their own shard, and queries are run there. A server without
//! channelz has none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::{AddAssign, Deref};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::PeerIdentity;
use corespun_runtime::Address;

use crate::call::Call;

thread_local! {
    /// Counters of the shard that runs on this thread.
    static HERE: RefCell<Option<Rc<Tallies>>> = const { RefCell::new(None) };
}

/// Numbers of calls by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) started: u64,
    /// Calls answered with OK.
    pub(crate) succeeded: u64,
    /// Calls answered with another status.
    pub(crate) failed: u64,
    /// Calls without a response: cancelled, refused, or cut off with their connection.
    pub(crate) cut: u64,
    /// Moment at which the latest call started.
    pub(crate) last: Option<Duration>,
}

impl AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        self.started += other.started;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cut += other.cut;
        self.last = self.last.max(other.last);
    }
}

/// Number of messages in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    pub(crate) count: u64,
    /// Moment of the latest message.
    pub(crate) last: Option<Duration>,
}

/// Addresses and peer identity of a connection; constant during its life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) local: Option<Address>,
    pub(crate) remote: Option<Address>,
    pub(crate) identity: Option<Rc<PeerIdentity>>,
}

/// Counters of one connection.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Id of the connection, unique in the process.
    pub(crate) id: i64,
    pub(crate) ends: Ends,
    /// Moment of the current turn.
    turn: Cell<Duration>,
    calls: Cell<Calls>,
    received: Cell<Messages>,
    sent: Cell<Messages>,
    /// Send window and receive window in bytes at the time of the latest send.
    windows: Cell<(usize, usize)>,
}

impl Tally {
    pub(crate) fn calls(&self) -> Calls {
        self.calls.get()
    }

    pub(crate) fn received(&self) -> Messages {
        self.received.get()
    }

    pub(crate) fn sent(&self) -> Messages {
        self.sent.get()
    }

    pub(crate) fn windows(&self) -> (usize, usize) {
        self.windows.get()
    }

    /// Sets the moment of the events counted from here on.
    pub(crate) fn begin_turn(&self, now: Duration) {
        self.turn.set(now);
    }

    pub(crate) fn set_windows(&self, windows: (usize, usize)) {
        self.windows.set(windows);
    }

    pub(crate) fn note_start(&self) {
        let last = Some(self.turn.get());
        self.change(|calls| {
            calls.started += 1;
            calls.last = last;
        });
    }

    /// Counts a call that was answered.
    pub(crate) fn note_end(&self, is_ok: bool) {
        self.change(|calls| match is_ok {
            true => calls.succeeded += 1,
            false => calls.failed += 1,
        });
    }

    /// Counts a call that ends without a response.
    pub(crate) fn note_cut(&self, call: &Call) {
        match call {
            Call::Vacant | Call::Plain(_) => return,
            Call::Streaming { pipe, .. } => self.note_messages(pipe.take_passed()),
            Call::Collecting(_)
            | Call::Parked(_)
            | Call::Expecting { .. }
            | Call::Waiting { .. } => {}
        }
        self.note_cut_early();
    }

    /// Counts a call that ends without a response and occupies no slot.
    pub(crate) fn note_cut_early(&self) {
        self.change(|calls| calls.cut += 1);
    }

    /// Counts messages read and written.
    pub(crate) fn note_messages(&self, (read, written): (u32, u32)) {
        self.add(&self.received, read);
        self.add(&self.sent, written);
    }

    pub(crate) fn note_received(&self) {
        self.add(&self.received, 1);
    }

    pub(crate) fn note_sent(&self) {
        self.add(&self.sent, 1);
    }

    fn add(&self, messages: &Cell<Messages>, more: u32) {
        if more > 0 {
            messages.set(Messages {
                count: messages.get().count + u64::from(more),
                last: Some(self.turn.get()),
            });
        }
    }

    fn change(&self, change: impl FnOnce(&mut Calls)) {
        let mut calls = self.calls.get();
        change(&mut calls);
        self.calls.set(calls);
    }
}

/// Counters of the connections of one shard.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    live: RefCell<BTreeMap<i64, Rc<Tally>>>,
    /// Call counts of closed connections.
    gone: Cell<Calls>,
}

impl Tallies {
    /// Starts to count on the shard of this thread.
    pub(crate) fn begin() -> Rc<Self> {
        let tallies = Rc::new(Self::default());
        HERE.set(Some(Rc::clone(&tallies)));
        tallies
    }

    /// Queries the shard of this thread; returns `None` if nothing is counted.
    pub(crate) fn ask<T>(question: impl FnOnce(&Self) -> T) -> Option<T> {
        let here = HERE.with_borrow(Clone::clone)?;
        Some(question(&here))
    }

    /// Adds a connection, until the returned handle is dropped.
    pub(crate) fn add(self: &Rc<Self>, id: i64, ends: Ends, now: Duration) -> Counted {
        let tally = Rc::new(Tally {
            id,
            ends,
            turn: Cell::new(now),
            calls: Cell::default(),
            received: Cell::default(),
            sent: Cell::default(),
            windows: Cell::default(),
        });
        self.live.borrow_mut().insert(id, Rc::clone(&tally));
        let tallies = Rc::clone(self);
        Counted { tallies, tally }
    }

    /// Returns the call counts of all open and closed connections.
    pub(crate) fn calls(&self) -> Calls {
        let mut sum = self.gone.get();
        for tally in self.live.borrow().values() {
            sum += tally.calls();
        }
        sum
    }

    /// Returns up to `max` connections with ids from `start`, in order, each converted by
    /// `describe`.
    pub(crate) fn page<T>(&self, start: i64, max: usize, describe: impl Fn(&Tally) -> T) -> Vec<T> {
        let live = self.live.borrow();
        let page = live.range(start..).take(max);
        page.map(|(_, tally)| describe(tally)).collect()
    }

    /// Returns the connection with this id, if it belongs to this shard.
    pub(crate) fn find<T>(&self, id: i64, describe: impl FnOnce(&Tally) -> T) -> Option<T> {
        self.live.borrow().get(&id).map(|tally| describe(tally))
    }
}

/// Handle of a counted connection; dropping it adds its calls to those of the shard.
#[derive(Debug)]
pub(crate) struct Counted {
    tallies: Rc<Tallies>,
    tally: Rc<Tally>,
}

impl Deref for Counted {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.tally
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tallies.live.borrow_mut().remove(&self.tally.id);
        let mut gone = self.tallies.gone.get();
        gone += self.tally.calls();
        self.tallies.gone.set(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_counted_outlives_it() {
        let tallies = Rc::new(Tallies::default());
        let second = |seconds| Duration::from_secs(seconds);
        let first = tallies.add(7, Ends::default(), second(1));
        first.note_start();
        first.note_end(true);
        let other = tallies.add(9, Ends::default(), second(2));
        other.begin_turn(second(3));
        (0..3).for_each(|_| other.note_start());
        other.note_end(false);
        other.note_cut_early();
        other.note_messages((2, 0));
        let expected = Calls {
            started: 4,
            succeeded: 1,
            failed: 1,
            cut: 1,
            last: Some(second(3)),
        };
        assert_eq!(tallies.calls(), expected);
        assert_eq!(
            other.received(),
            Messages {
                count: 2,
                last: Some(second(3))
            }
        );
        assert_eq!(other.sent(), Messages::default());

        let ids = |start, max| tallies.page(start, max, |tally| tally.id);
        assert_eq!(
            (ids(0, 9), ids(0, 1), ids(8, 9)),
            (vec![7, 9], vec![7], vec![9])
        );
        drop(first);
        assert_eq!(tallies.calls(), expected);
        assert_eq!((ids(0, 9), tallies.find(7, |_| ())), (vec![9], None));
    }
}
