//! A connection's age, its idleness and its end: when to drain, and when to cut.

use std::time::Duration;

use corespun_codec::Status;
use corespun_http2::{ErrorCode, Limit, StreamKey};

use super::Connection;
use crate::lifetime::Lifetime;

/// How long the acknowledgement of the PING between two GOAWAY frames is waited for.
const DRAIN_PING_MAX: Duration = Duration::from_secs(5);

/// The parts that the bound on idleness is measured in.
const LOOKS_PER_BOUND: u32 = 4;

/// Looks without a call that prove that the whole bound has passed without any.
const QUIET_LOOKS_MAX: u32 = LOOKS_PER_BOUND + 1;

/// What ends a connection with time. Only connections that have such a bound own one.
#[derive(Debug)]
pub(super) struct Life {
    /// The next moment that something may be due.
    pub(super) due: Option<Duration>,
    age_due: Option<Duration>,
    age_grace: Duration,
    /// When what is left after the age is cut, once the second GOAWAY is out.
    grace_due: Option<Duration>,
    idle: Option<Idle>,
    /// The connection drains for its age, and its grace has not begun.
    is_old: bool,
}

/// Looks now and then whether there were calls, so that no call has to leave a note.
#[derive(Debug)]
struct Idle {
    pause: Duration,
    due: Option<Duration>,
    quiet_looks: u32,
    streams_opened: u64,
}

impl Life {
    /// `None` when nothing is bounded.
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
    /// Looks once more; true when there was no call for as long as is allowed.
    fn look(&mut self, now: Duration, open_streams: usize, streams_opened: u64) -> bool {
        let is_quiet = open_streams == 0 && streams_opened == self.streams_opened;
        self.streams_opened = streams_opened;
        self.quiet_looks = if is_quiet { self.quiet_looks + 1 } else { 0 };
        let is_over = self.quiet_looks >= QUIET_LOOKS_MAX;
        self.due = after(self.pause, now).filter(|_| !is_over);
        is_over
    }
}

/// The moment `span` after `now`; none for a span without end.
fn after(span: Duration, now: Duration) -> Option<Duration> {
    now.checked_add(span).filter(|_| span < Duration::MAX)
}

impl Connection {
    /// Lives by these bounds from now on.
    pub(crate) fn live(&mut self, lifetime: &Lifetime, now: Duration) {
        self.life = Life::begin(lifetime, now);
        self.http2.keep_alive(lifetime.keepalive());
        self.http2.limit_pings(lifetime.ping_policy());
    }

    /// When to look at the connection's life next.
    pub(super) fn life_due(&self) -> Option<Duration> {
        self.life.as_ref().and_then(|life| life.due)
    }

    /// Something in the connection's life may be due.
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

    /// Begins a graceful end: GOAWAY and PING now, GOAWAY with the last stream when the PING has
    /// come back or was waited for long enough. Calls are told.
    pub(super) fn leave(&mut self, now: Duration, reason: &'static [u8]) {
        self.drain_due.get_or_insert(now + DRAIN_PING_MAX);
        self.lend_output();
        self.http2.drain_for(reason);
        self.drain.begin();
    }

    /// The last stream may be known by now: then the grace of an old connection begins.
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
        self.cut_calls("the connection has reached its age, and its calls have had their grace");
    }

    /// Ends every call with UNAVAILABLE, and the connection behind them.
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

    /// Says what the end of the server takes away, unless it has ended by itself.
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
