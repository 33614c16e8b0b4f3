//! Lifetime of a connection: its age, its idle time, its drain and its forced end.

use std::time::Duration;

use corespun_codec::Status;
use corespun_http2::{ErrorCode, Limit, StreamKey};

use super::Connection;
use crate::lifetime::Lifetime;

/// Longest wait for the acknowledgement of the PING between the two GOAWAY frames of a drain.
const DRAIN_PING_MAX: Duration = Duration::from_secs(5);

/// Number of checks in one span of the idle bound.
const LOOKS_PER_BOUND: u32 = 4;

/// Consecutive checks without a call after which the whole idle bound has certainly passed.
const QUIET_LOOKS_MAX: u32 = LOOKS_PER_BOUND + 1;

/// Timers that end a connection; owned only by connections that have such a bound.
#[derive(Debug)]
pub(super) struct Life {
    /// Next moment at which one of the timers may be due.
    pub(super) due: Option<Duration>,
    age_due: Option<Duration>,
    age_grace: Duration,
    /// Moment at which calls left after the maximum age are cut off; set when the second GOAWAY is
    /// sent.
    grace_due: Option<Duration>,
    idle: Option<Idle>,
    /// True while the connection drains for its age and its grace has not begun.
    is_old: bool,
}

/// Periodic check for calls, so that no call has to record its time.
#[derive(Debug)]
struct Idle {
    pause: Duration,
    due: Option<Duration>,
    quiet_looks: u32,
    streams_opened: u64,
}

impl Life {
    /// Creates the timers; returns `None` if nothing is bounded.
    fn begin(lifetime: &Lifetime, now: Duration) -> Option<Box<Self>> {
        let age_due = after(lifetime.max_connection_age, now);
        let pause = lifetime.max_connection_idle / LOOKS_PER_BOUND;
        let is_bounded = lifetime.max_connection_idle < Duration::MAX;
        let idle_due = after(pause, now).filter(|_| is_bounded);
        if age_due.is_none() && idle_due.is_none() {
            return None;
        }
        let mut life = Self {
            due: None,
            age_due,
            age_grace: lifetime.max_connection_age_grace,
            grace_due: None,
            idle: idle_due.map(|due| Idle {
                pause,
                due: Some(due),
                quiet_looks: 0,
                streams_opened: 0,
            }),
            is_old: false,
        };
        life.settle();
        Some(Box::new(life))
    }

    fn settle(&mut self) {
        let idle_due = self.idle.as_ref().and_then(|idle| idle.due);
        let dues = [self.age_due, self.grace_due, idle_due];
        self.due = dues.into_iter().flatten().min();
    }
}

impl Idle {
    /// Checks for calls; returns true if there was none for the whole idle bound.
    fn look(&mut self, now: Duration, open_streams: usize, streams_opened: u64) -> bool {
        let is_quiet = open_streams == 0 && streams_opened == self.streams_opened;
        self.streams_opened = streams_opened;
        self.quiet_looks = if is_quiet { self.quiet_looks + 1 } else { 0 };
        let is_over = self.quiet_looks >= QUIET_LOOKS_MAX;
        self.due = after(self.pause, now).filter(|_| !is_over);
        is_over
    }
}

/// Returns the moment `span` after `now`, or `None` for an unbounded span.
fn after(span: Duration, now: Duration) -> Option<Duration> {
    now.checked_add(span).filter(|_| span < Duration::MAX)
}

impl Connection {
    /// Applies these lifetime bounds from now on.
    pub(crate) fn live(&mut self, lifetime: &Lifetime, now: Duration) {
        self.life = Life::begin(lifetime, now);
        self.http2.keep_alive(lifetime.keepalive());
        self.http2.limit_pings(lifetime.ping_policy());
    }

    /// Returns the moment of the next lifetime check.
    pub(super) fn life_due(&self) -> Option<Duration> {
        self.life.as_ref().and_then(|life| life.due)
    }

    /// Handles lifetime timers that are due.
    #[cold]
    pub(super) fn mind_life(&mut self, now: Duration) {
        let Some(mut life) = self.life.take() else {
            return;
        };
        let is_due = |due: Option<Duration>| due.is_some_and(|due| due <= now);
        if is_due(life.grace_due) {
            life.grace_due = None;
            self.cut_for_age();
        }
        if is_due(life.age_due) {
            (life.age_due, life.is_old) = (None, true);
            self.http2.note_limit_hit(Limit::ConnectionAge);
            self.leave(now, b"max_age");
        }
        if let Some(idle) = life.idle.as_mut().filter(|idle| is_due(idle.due)) {
            let opened = self.http2.streams_opened();
            if idle.look(now, self.http2.open_streams(), opened) {
                self.http2.note_limit_hit(Limit::ConnectionIdle);
                self.leave(now, b"max_idle");
            }
        }
        life.settle();
        self.life = Some(life);
        self.note_last_stream(now);
    }

    /// Begins a graceful end and notifies calls: sends GOAWAY and PING now, and the final GOAWAY
    /// when the PING is acknowledged or its wait is over.
    pub(super) fn leave(&mut self, now: Duration, reason: &'static [u8]) {
        self.drain_due.get_or_insert(now + DRAIN_PING_MAX);
        self.lend_output();
        self.http2.drain_for(reason);
        self.drain.begin();
    }

    /// Starts the grace of a connection past its maximum age, once the last admitted stream is
    /// known.
    pub(super) fn note_last_stream(&mut self, now: Duration) {
        if let Some(life) = &mut self.life
            && life.is_old
            && self.http2.is_last_announced()
        {
            life.is_old = false;
            life.grace_due = after(life.age_grace, now);
            life.settle();
        }
    }

    fn cut_for_age(&mut self) {
        for _ in 0..self.http2.open_streams() {
            self.http2.note_limit_hit(Limit::ConnectionAgeGrace);
        }
        self.cut_calls("the connection reached its maximum age, and the grace period is over");
    }

    /// Ends every call with UNAVAILABLE, then the connection.
    pub(super) fn cut_calls(&mut self, why: &'static str) {
        self.lend_output();
        self.http2.go_away(ErrorCode::NO_ERROR);
        let status = Status::unavailable(why);
        for slot in 0..self.calls.len() {
            if let Some(id) = self.calls[slot].id() {
                let slot = slot as u32;
                self.end_call(StreamKey { slot, id }, &status);
            }
        }
        self.abandon();
    }

    /// Counts the calls that the end of the server cuts off, unless the connection has ended by
    /// itself.
    pub(super) fn note_cut(&mut self) {
        let Some(counts) = self.cut_counts.take() else {
            return;
        };
        if self.http2.late_streams() > 0 {
            counts.add_late_calls(self.http2.late_streams());
        }
        if !self.closing && !self.backlog.is_ending() && !self.http2.is_finished() {
            counts.add_connection(self.http2.open_streams());
        }
    }
}
