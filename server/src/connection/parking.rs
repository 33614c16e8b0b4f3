//! Calls whose request has come whole and that wait to be started: for room for their reply.

use std::collections::VecDeque;
use std::time::Duration;

use corespun_http2::StreamKey;

use super::Connection;
use crate::call::{Call, Collecting};

/// Entries of calls that have ended that are kept besides as many as there are streams.
const ENTRIES_SLACK: usize = 64;

/// Streams of such calls, in the order in which they may start.
#[derive(Debug, Default)]
pub(super) struct Parking(VecDeque<StreamKey>);

impl Parking {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Connection {
    /// Lets a call wait. What has come of it stays held, so that its caller waits in the end.
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

    /// Drops the entries of calls that were reset while they waited: their callers could make them
    /// pile up.
    fn forget_ended(&mut self) {
        let calls = &self.calls;
        self.parking.0.retain(|stream| {
            let call = calls.get(stream.slot as usize);
            matches!(call, Some(Call::Parked(parked)) if parked.id == stream.id)
        });
    }

    /// Moment to start calls that wait, if there are any and nothing stands against them.
    pub(super) fn parking_due(&self) -> Option<Duration> {
        let may_start = !self.parking.is_empty() && !self.must_wait();
        may_start.then(|| self.backlog.turn())
    }

    /// Starts calls that wait, as far as there is room for their replies and this turn's share
    /// goes.
    #[cold]
    pub(super) fn start_parked(&mut self, now: Duration) {
        self.begin_share(now);
        while !self.must_wait() && !self.is_share_used_up() {
            let Some(stream) = self.parking.0.pop_front() else {
                return;
            };
            match self.take_call(stream) {
                Call::Parked(collecting) => self.complete(now, stream, collecting),
                // The call has ended meanwhile, and the place may be another's.
                Call::Vacant => {}
                call => self.put_call(stream, call),
            }
        }
    }
}
