//! A connection's share of a turn: input that would make it write more waits for the next one.
//!
//! A read of 16 KiB may hold three hundred requests, and each may want a megabyte. Were they all
//! answered at once, everybody else on the shard would wait for them.

use std::time::Duration;

use corespun_runtime::{give_buffer, take_buffer};

use super::Connection;

/// Bytes of input that may wait. A peer can only send so much before its socket is paused; should
/// it be more all the same, the share gives way and not the bound on memory.
const BACKLOG_BYTES_MAX: usize = 4 << 20;

/// What a connection may write in the turn at hand, and the input that waits for further turns.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The moment of the turn at hand: all of a turn has the same.
    turn: Duration,
    /// Unsent bytes of output from which on this turn's share is used up.
    unsent_max: usize,
    bytes: Vec<u8>,
    /// How many of them were looked at.
    taken: usize,
    /// The peer has ended behind them.
    ends: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// What it costs in memory.
    pub(super) fn pinned_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// When to go on: at any moment after that of the turn whose share is used up.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.turn)
    }

    /// The peer has ended, and what it said before waits.
    pub(super) fn is_ending(&self) -> bool {
        self.ends
    }

    /// The peer's end is to be met after what waits.
    pub(super) fn end(&mut self) {
        self.ends = true;
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        give_buffer(std::mem::take(&mut self.bytes));
        self.taken = 0;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_empty() {
            self.bytes = take_buffer();
        } else {
            self.bytes.drain(..std::mem::take(&mut self.taken));
        }
        self.bytes.extend_from_slice(bytes);
    }
}

impl Connection {
    /// Looks at input in its order, as far as the turn's share goes.
    pub(super) fn receive_bytes(&mut self, now: Duration, bytes: &[u8]) {
        self.lend_output();
        if !self.backlog.is_empty() {
            self.backlog.keep(bytes);
            return self.resume(now);
        }
        self.begin_share(now);
        let left = self.take_events(now, bytes);
        if left > 0 {
            self.backlog.keep(&bytes[bytes.len() - left..]);
        }
    }

    /// Goes on with what waits, unless its turn is still the one whose share is used up.
    pub(super) fn resume(&mut self, now: Duration) {
        let is_full = self.backlog.len() > BACKLOG_BYTES_MAX;
        if now == self.backlog.turn && !is_full {
            return;
        }
        self.begin_share(now);
        if is_full {
            self.backlog.unsent_max = usize::MAX;
        }
        let bytes = std::mem::take(&mut self.backlog.bytes);
        let left = self.take_events(now, &bytes[self.backlog.taken..]);
        self.backlog.taken = bytes.len() - left;
        self.backlog.bytes = bytes;
        if left == 0 {
            self.backlog.clear();
            if self.backlog.ends {
                self.abandon();
            }
        }
    }

    /// A turn that was not seen before brings a new share.
    fn begin_share(&mut self, now: Duration) {
        if self.backlog.turn != now || self.backlog.unsent_max == 0 {
            self.backlog.turn = now;
            let unsent = self.http2.unsent_bytes();
            self.backlog.unsent_max = unsent.saturating_add(self.turn_output_bytes_max);
        }
    }

    /// Answers one event after the other; how many bytes of the input the share did not reach.
    fn take_events(&mut self, now: Duration, mut input: &[u8]) -> usize {
        loop {
            match self.http2.receive(now, &mut input) {
                Ok(Some(event)) => self.on_event(now, event),
                Ok(None) => return 0,
                Err(error) => {
                    self.tell_end(now, &error);
                    self.abandon();
                    return 0;
                }
            }
            if self.http2.unsent_bytes() >= self.backlog.unsent_max {
                return input.len();
            }
        }
    }
}
