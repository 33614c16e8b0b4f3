//! A connection's share of a turn: input that would make it write more waits for the next one.
//!
//! A read of 16 KiB may hold three hundred requests, and each may want a megabyte, or run for a
//! while. Were they all answered at once, everybody else on the shard would wait for them.

use std::time::Duration;

use corespun_http2::Event;
use corespun_runtime::{TimeShare, give_buffer, take_buffer};

use super::Connection;

/// Bytes of input that may wait. A peer can only send so much before its socket is paused; should
/// it be more all the same, the share gives way and not the bound on memory.
const BACKLOG_BYTES_MAX: usize = 4 << 20;

/// Time that a connection may take up in a turn with its events and the handlers that run within
/// them. One handler is never interrupted.
const TURN_TIME_MAX: Duration = Duration::from_micros(250);

/// Bodies in a turn that are not worth a reading of the clock: those of four small calls.
const BODIES_UNMEASURED: u32 = 4;

/// What a connection may write in the turn at hand, and the input that waits for further turns.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The moment of the turn at hand: all of a turn has the same.
    turn: Duration,
    /// Unsent bytes of output from which on this turn's share is used up.
    unsent_max: usize,
    /// Time that is left of it.
    time: TimeShare,
    bytes: Vec<u8>,
    /// How many of them were looked at.
    taken: usize,
    /// The peer has ended behind them.
    ends: bool,
}

impl Default for Backlog {
    /// Time has no bound until [`Connection::sharing_time`].
    fn default() -> Self {
        Self {
            turn: Duration::ZERO,
            unsent_max: 0,
            time: TimeShare::new(Duration::ZERO, BODIES_UNMEASURED),
            bytes: Vec::new(),
            taken: 0,
            ends: false,
        }
    }
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

    /// Returns whether the turn's share is used up.
    #[inline(always)]
    fn is_used_up(&mut self, unsent: usize) -> bool {
        unsent >= self.unsent_max || self.time.is_used_up() && self.unsent_max != usize::MAX
    }

    /// When to go on: at any moment after that of the turn whose share is used up.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.turn)
    }

    /// The moment of the turn whose share is counted.
    pub(super) fn turn(&self) -> Duration {
        self.turn
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
    /// Bounds the time that the connection takes up in a turn: 250 µs, and 50 µs in a turn that
    /// took half a millisecond already. What it was sent besides waits for the next turn. Reads
    /// the clock once in a few calls, which suits connections on a shard and no simulation.
    pub fn sharing_time(mut self) -> Self {
        self.backlog.time = TimeShare::new(TURN_TIME_MAX, BODIES_UNMEASURED);
        self
    }

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
    pub(super) fn begin_share(&mut self, now: Duration) {
        if self.backlog.turn != now || self.backlog.unsent_max == 0 {
            self.backlog.turn = now;
            let unsent = self.http2.unsent_bytes();
            self.backlog.unsent_max = unsent.saturating_add(self.turn_output_bytes_max);
            self.backlog.time.begin(Some(now));
        }
    }

    /// Answers one event after the other; how many bytes of the input the share did not reach.
    fn take_events(&mut self, now: Duration, mut input: &[u8]) -> usize {
        loop {
            match self.http2.receive(now, &mut input) {
                Ok(Some(event)) => {
                    // Heads alone run no handler but those of streams, which are tasks.
                    let is_body = matches!(event, Event::Data { .. });
                    self.on_event(now, event);
                    if is_body && self.is_share_used_up() {
                        return input.len();
                    }
                }
                Ok(None) => return 0,
                Err(error) => {
                    self.tell_end(now, &error);
                    self.abandon();
                    return 0;
                }
            }
        }
    }

    /// Returns whether the connection has written or taken as much as it may in the turn at hand.
    #[inline(always)]
    pub(super) fn is_share_used_up(&mut self) -> bool {
        self.backlog.is_used_up(self.http2.unsent_bytes())
    }
}
