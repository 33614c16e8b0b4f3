//! Complete requests that wait to be started until there is space for their reply.

use std::collections::VecDeque;
use std::time::Duration;

use corespun_http2::StreamKey;

use super::Connection;
use crate::call::{Call, Collecting};

/// Number of stale entries kept in addition to one for each open stream.
const ENTRIES_SLACK: usize = 64;

/// Streams of waiting calls, in the order in which they may start.
#[derive(Debug, Default)]
pub(super) struct Parking(VecDeque<StreamKey>);

impl Parking {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Connection {
    /// Makes a call wait. Its bytes stay counted as received, so that flow control slows its
    /// client.
    #[cold]
    pub(super) fn park(&mut self, stream: StreamKey, collecting: Box<Collecting>) {
        if let Some(deadline) = collecting.deadline {
            self.watch(deadline);
        }
        if self.parking.0.len() > self.calls.len() + ENTRIES_SLACK {
            self.forget_ended();
        }
        self.parking.0.push_back(stream);
        self.put_call(stream, Call::Parked(collecting));
        debug_assert!(self.parking.0.len() <= self.calls.len() + ENTRIES_SLACK + 1);
    }

    /// Removes the entries of calls that were reset while they waited, so that clients cannot make
    /// them pile up.
    fn forget_ended(&mut self) {
        let calls = &self.calls;
        self.parking.0.retain(|stream| {
            let call = calls.get(stream.slot as usize);
            matches!(call, Some(Call::Parked(parked)) if parked.id == stream.id)
        });
    }

    /// Returns the moment to start waiting calls; `None` if there are none or they cannot start.
    pub(super) fn parking_due(&self) -> Option<Duration> {
        let may_start = !self.parking.is_empty() && !self.must_wait();
        may_start.then(|| self.backlog.turn())
    }

    /// Starts waiting calls, as far as there is space for their replies and this turn's share
    /// permits.
    #[cold]
    pub(super) fn start_parked(&mut self, now: Duration) {
        self.begin_share(now);
        while !self.must_wait() && !self.is_share_used_up() {
            let Some(stream) = self.parking.0.pop_front() else {
                return;
            };
            match self.take_call(stream) {
                Call::Parked(collecting) => self.complete(now, stream, collecting),
                // The call has ended meanwhile, and its slot may belong to another call.
                Call::Vacant => {}
                call => self.put_call(stream, call),
            }
        }
    }
}
