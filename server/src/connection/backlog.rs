//! Fair share of a turn for each connection: input beyond the share waits for the next turn.
//!
//! A read of 16 KiB can hold three hundred requests, and each can produce a megabyte or run for a
//! while. Answering all of them at once would delay every other connection of the shard.

use std::time::Duration;

use corespun_http2::Event;
use corespun_runtime::{TimeShare, give_buffer, take_buffer};

use super::Connection;

/// Largest number of input bytes that wait for the next turn. A peer can send only so much before
/// its socket is paused; beyond this bound the share is ignored rather than the memory bound.
const BACKLOG_BYTES_MAX: usize = 4 << 20;

/// Longest time that a connection may use in one turn, for its events and the handlers that run
/// within them. A running handler is never interrupted.
const TURN_TIME_MAX: Duration = Duration::from_micros(250);

/// Number of request bodies in a turn before the clock is read: those of four small calls.
const BODIES_UNMEASURED: u32 = 4;

/// Output and time that a connection may use in the current turn, and the input that waits for
/// later turns.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Moment of the current turn; constant within a turn.
    turn: Duration,
    /// Size of unsent output in bytes at which this turn's share is used up.
    unsent_max: usize,
    /// Time that is left of this turn's share.
    time: TimeShare,
    bytes: Vec<u8>,
    /// Number of waiting input bytes already processed.
    taken: usize,
    /// True if the peer has closed its side after the waiting input.
    ends: bool,
}

impl Default for Backlog {
    /// Returns a share without a time bound; [`Connection::sharing_time`] sets one.
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

    /// Returns the memory in bytes that the backlog occupies.
    pub(super) fn pinned_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns true if the turn's share is used up.
    #[inline(always)]
    fn is_used_up(&mut self, unsent: usize) -> bool {
        unsent >= self.unsent_max || self.time.is_used_up() && self.unsent_max != usize::MAX
    }

    /// Returns the moment to resume: any moment after that of the turn whose share is used up.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.turn)
    }

    /// Returns the moment of the turn that the share belongs to.
    pub(super) fn turn(&self) -> Duration {
        self.turn
    }

    /// Returns true if the peer has closed its side and earlier input still waits.
    pub(super) fn is_ending(&self) -> bool {
        self.ends
    }

    /// Records that the peer has closed its side; handled after the waiting input.
    pub(super) fn end(&mut self) {
        self.ends = true;
    }

    /// Discards the waiting input.
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
    /// Bounds the time that the connection may use in a turn: 250 µs, or 50 µs in a turn that has
    /// already taken 500 µs. Remaining input waits for the next turn. Reads the clock once in a few
    /// calls, so it suits connections on a shard but not a simulation.
    pub fn sharing_time(mut self) -> Self {
        self.backlog.time = TimeShare::scaled(TURN_TIME_MAX, BODIES_UNMEASURED);
        self
    }

    /// Processes input in order until the turn's share is used up.
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

    /// Processes waiting input, unless the current turn's share is already used up.
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

    /// Starts a new share if `now` belongs to a new turn.
    pub(super) fn begin_share(&mut self, now: Duration) {
        if self.backlog.turn != now || self.backlog.unsent_max == 0 {
            self.backlog.turn = now;
            let unsent = self.http2.unsent_bytes();
            self.backlog.unsent_max = unsent.saturating_add(self.turn_output_bytes_max);
            self.backlog.time.begin(Some(now));
        }
    }

    /// Processes events until the share is used up; returns the number of input bytes left over.
    fn take_events(&mut self, now: Duration, mut input: &[u8]) -> usize {
        loop {
            match self.http2.receive(now, &mut input) {
                Ok(Some(event)) => {
                    // Heads alone run only streaming handlers, which are tasks.
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

    /// Returns true if the connection has used up its share of output or time in the current turn.
    #[inline(always)]
    pub(super) fn is_share_used_up(&mut self) -> bool {
        self.backlog.is_used_up(self.http2.unsent_bytes())
    }
}
