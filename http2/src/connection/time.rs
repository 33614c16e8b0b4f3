//! Timers of the connection: deadlines for the peer.
//!
//! Time is an argument. Timers are set and cleared by the handshake, by split header blocks and by
//! output that waits, which are all rare, so they cost a call nothing.

use alloc::vec::Vec;
use core::time::Duration;

use super::receive::Report;
use super::{Connection, Role};
use crate::error::ConnectionError;
use crate::event::Event;
use crate::limits::Limit;
use crate::stream::StreamKey;

/// Number of sweeps in the bound on write progress.
const SWEEPS_PER_BOUND: u32 = 4;

/// Number of sweeps without progress that prove that the whole bound has passed.
const IDLE_SWEEPS_MAX: u8 = SWEEPS_PER_BOUND as u8 + 1;

/// Event that a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Preface,
    FirstSettings,
    SettingsAck,
    HeaderBlock,
    Keepalive,
    WriteProgress,
}

impl Timer {
    const ALL: [Self; 6] = [
        Self::Preface,
        Self::FirstSettings,
        Self::SettingsAck,
        Self::HeaderBlock,
        Self::Keepalive,
        Self::WriteProgress,
    ];

    const fn limit(self) -> Limit {
        match self {
            Self::Preface => Limit::PrefaceTime,
            Self::FirstSettings => Limit::FirstSettingsTime,
            Self::SettingsAck => Limit::SettingsAckTime,
            Self::HeaderBlock => Limit::HeaderBlockTime,
            Self::Keepalive => Limit::KeepaliveTime,
            Self::WriteProgress => Limit::WriteProgressTime,
        }
    }
}

/// Table of the timers' moments.
#[derive(Debug, Default)]
pub(super) struct Timers {
    started: bool,
    /// Time of the latest input.
    pub(super) heard_at: Duration,
    /// Time of the last [`Connection::advance`].
    advanced_at: Duration,
    table: [Option<Duration>; Timer::ALL.len()],
    /// Earliest moment in the table.
    due: Option<Duration>,
    /// Number of sweeps in a row in which no queued byte of the connection was sent.
    idle_sweeps: u8,
    /// Streams that the last sweep found stalled and that are not reset yet.
    stalled: Vec<StreamKey>,
}

impl Timers {
    /// Returns the latest time passed in.
    pub(super) fn now(&self) -> Duration {
        self.heard_at.max(self.advanced_at)
    }

    /// Sets a timer to `bound` after `from`; a moment beyond the range of the clock sets none.
    pub(super) fn set(&mut self, timer: Timer, from: Duration, bound: Duration) {
        let is_bounded = bound < Duration::MAX;
        self.put(timer, from.checked_add(bound).filter(|_| is_bounded));
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.put(timer, None);
    }

    fn put(&mut self, timer: Timer, due: Option<Duration>) {
        self.table[timer as usize] = due;
        self.due = self.table.iter().copied().flatten().min();
    }

    fn is_set(&self, timer: Timer) -> bool {
        self.table[timer as usize].is_some()
    }

    /// Records that a queued byte was sent.
    pub(super) fn on_write_progress(&mut self) {
        self.idle_sweeps = 0;
    }

    pub(super) fn stop(&mut self) {
        self.table = Default::default();
        self.due = None;
        self.stalled = Vec::new();
    }
}

impl Connection {
    /// Returns the moment at which [`Connection::advance`] must be called next, if nothing happens
    /// before.
    pub fn deadline(&self) -> Option<Duration> {
        self.timers.due
    }

    /// Acts on timers until one yields an event; `None` if none is due. The connection's clock
    /// starts with the first call of this function or of [`Connection::receive`].
    ///
    /// # Errors
    /// As [`Connection::receive`]: the peer has let a time of [`crate::Limits`] pass. GOAWAY is in
    /// the output already, transmit it and close.
    pub fn advance(&mut self, now: Duration) -> Report<'static> {
        if self.shutdown.failed {
            return Ok(None);
        }
        self.timers.advanced_at = now;
        if !self.timers.started {
            self.start_clock();
        }
        if self.timers.due.is_none_or(|due| due > now) {
            return Ok(None);
        }
        self.expire(now).inspect_err(|error| self.fail(error))
    }

    /// Starts the timers within which the peer must show that it speaks HTTP/2.
    pub(super) fn start_clock(&mut self) {
        self.timers.started = true;
        let now = self.timers.now();
        self.timers.heard_at = now;
        if self.role == Role::Server {
            let bound = self.limits.preface_time_max;
            self.timers.set(Timer::Preface, now, bound);
        }
        let bound = self.limits.first_settings_time_max;
        self.timers.set(Timer::FirstSettings, now, bound);
        self.await_sound(now);
    }

    pub(super) fn is_clock_started(&self) -> bool {
        self.timers.started
    }

    /// Handles the peer's first SETTINGS: the acknowledgement of ours is due next.
    #[cold]
    pub(super) fn on_established(&mut self) {
        self.timers.clear(Timer::Preface);
        self.timers.clear(Timer::FirstSettings);
        if !self.settled {
            let bound = self.limits.settings_ack_time_max;
            let now = self.timers.now();
            self.timers.set(Timer::SettingsAck, now, bound);
        }
    }

    /// Starts the timer for a frame or header block of which a part has arrived.
    #[cold]
    pub(super) fn await_whole(&mut self) {
        if !self.timers.is_set(Timer::HeaderBlock) {
            let bound = self.limits.header_block_time_max;
            let now = self.timers.now();
            self.timers.set(Timer::HeaderBlock, now, bound);
        }
    }

    /// Stops the timer when a frame that arrived in parts is whole, unless its header block is not.
    #[cold]
    pub(super) fn on_gathered(&mut self) {
        if self.fields.partial.is_none() {
            self.timers.clear(Timer::HeaderBlock);
        }
    }

    /// Starts the timer of output that waits for a window.
    pub(super) fn await_write_progress(&mut self) {
        let bounded = self.limits.write_progress_time_max < Duration::MAX;
        if bounded && self.role == Role::Server && !self.timers.is_set(Timer::WriteProgress) {
            self.timers.idle_sweeps = 0;
            self.next_sweep();
        }
    }

    fn next_sweep(&mut self) {
        let quarter = self.limits.write_progress_time_max / SWEEPS_PER_BOUND;
        let now = self.timers.now();
        self.timers.set(Timer::WriteProgress, now, quarter);
    }

    /// Acts on the timers that are due.
    fn expire(&mut self, now: Duration) -> Report<'static> {
        for timer in Timer::ALL {
            let due = self.timers.table[timer as usize].is_some_and(|due| due <= now);
            if !due {
                continue;
            }
            match timer {
                Timer::Keepalive => self.mind_silence(now)?,
                Timer::WriteProgress => {
                    if self.timers.stalled.is_empty() {
                        self.sweep()?;
                    }
                    return Ok(self.give_up_stalled());
                }
                _ => return Err(ConnectionError::limit(timer.limit())),
            }
        }
        Ok(None)
    }

    /// Checks all streams with queued output, and records those that have made no progress for the
    /// whole bound.
    fn sweep(&mut self) -> Result<(), ConnectionError> {
        let connection_closed = self.sender.window.available() == 0;
        let mut any = false;
        for (key, stream) in self.streams.iter_mut() {
            let closed = stream.send_window.available() == 0;
            let Some(queue) = &mut stream.queue else {
                continue;
            };
            any = true;
            // A stream whose own window is open waits for the connection, not for its reader.
            let before = queue.idle_sweeps;
            queue.idle_sweeps = if closed { before.saturating_add(1) } else { 0 };
            if queue.idle_sweeps >= IDLE_SWEEPS_MAX {
                self.timers.stalled.push(key);
            }
        }
        let idle = any && connection_closed;
        let before = self.timers.idle_sweeps;
        self.timers.idle_sweeps = if idle { before.saturating_add(1) } else { 0 };
        if self.timers.idle_sweeps >= IDLE_SWEEPS_MAX && !self.sender.ready.is_empty() {
            return Err(ConnectionError::limit(Limit::WriteProgressTime));
        }
        match any {
            true if self.timers.stalled.is_empty() => self.next_sweep(),
            true => {}
            false => self.timers.clear(Timer::WriteProgress),
        }
        Ok(())
    }

    /// Resets the next stream that the sweep found stalled. After the last one the next sweep is
    /// set.
    fn give_up_stalled(&mut self) -> Option<Event<'static>> {
        while let Some(key) = self.timers.stalled.pop() {
            if self.timers.stalled.is_empty() {
                self.next_sweep();
            }
            if !self.is_open(key) {
                continue;
            }
            self.abuse.hit(Limit::WriteProgressTime);
            let code = Limit::WriteProgressTime.code();
            self.reset(key, code);
            return Some(Event::Reset {
                stream: key,
                code,
                local: true,
            });
        }
        None
    }
}
