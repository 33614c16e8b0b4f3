//! The pump of one connection: protocol on one side, driver on the other.
//!
//! Written once for every protocol and both engines. Output is pulled only while no send is in
//! flight, so a turn makes at most one send per connection and a slow peer costs one buffer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::buffer::pool::{give_buffer, take_buffer};
use crate::context::{Alarm, Context};
use crate::dirty::Reasons;
use crate::driver::{Driver, Sending};
use crate::protocol::{Flow, Input, Protocol};
use crate::slots::ConnId;
use crate::task::{Group, panic_message};
use crate::timer::TimerKey;

/// How much may be received while one send is in flight. Beyond it, and beyond the size of that
/// send itself, receiving pauses until the peer has read what it was sent.
const RECEIVE_AHEAD_MAX: usize = 1024 * 1024;
/// A send of this size may be a part of what the protocol has: it is asked again afterwards.
const PARTIAL_BYTES: usize = 64 * 1024;
/// How often a turn asks one protocol for more output, where sends complete at once.
const ROUNDS_MAX: usize = 16;
/// How much a turn sends of one socket, where sends complete at once: the next share waits for the
/// next turn, so that a reader of large replies does not hold up the others.
const TURN_SEND_BYTES: usize = 512 * 1024;
/// After the last send the peer has this long to close as well. Closing a socket with unread
/// bytes would reset it, and the peer could lose our last words.
const LINGER: Duration = Duration::from_secs(1);

/// How long the last send of a socket that closes may take: a peer that provoked the end and
/// reads no more must not hold the socket and its output for good.
const LAST_SEND: Duration = Duration::from_secs(10);

/// What is to become of a socket after a pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Close,
}

/// A send that is not complete.
struct InFlight {
    len: usize,
    /// When the peer has had time enough to take it; `None` for no bound.
    give_up: Option<Duration>,
}

/// A socket with a protocol on it.
pub(crate) struct Socket {
    conn: ConnId,
    /// Gone while lingering: only the peer's end is still awaited then.
    protocol: Option<Box<dyn Protocol>>,
    /// Accepted rather than connected: counts as load, and is drained.
    pub(crate) is_accepted: bool,
    sending: Option<InFlight>,
    /// Bytes received since that send began.
    received: usize,
    /// There may be more to do once that send is complete.
    is_stale: bool,
    paused: bool,
    /// The protocol has been told of the end.
    ended: bool,
    /// The socket or the protocol is broken: nothing can be sent any more.
    failed: bool,
    /// Nothing more is asked of the protocol: what was transmitted goes out, then it ends.
    closing: bool,
    /// Lets a [`SocketHandle::close`](crate::SocketHandle::close) wait for the send in flight.
    close_asked: bool,
    /// When a last send that is still in flight is given up.
    close_by: Option<Duration>,
    /// When lingering ends.
    linger_until: Option<Duration>,
    timer: Option<(Duration, TimerKey)>,
}

impl Socket {
    pub(crate) fn new(conn: ConnId, protocol: Box<dyn Protocol>, is_accepted: bool) -> Self {
        Self {
            conn,
            protocol: Some(protocol),
            is_accepted,
            sending: None,
            received: 0,
            is_stale: false,
            paused: false,
            ended: false,
            failed: false,
            closing: false,
            close_asked: false,
            close_by: None,
            linger_until: None,
            timer: None,
        }
    }

    /// Calls the protocol, if it is still there. A panic breaks this socket and no other.
    fn call<R>(&mut self, context: &Context, f: impl FnOnce(&mut dyn Protocol) -> R) -> Option<R> {
        let protocol = self.protocol.as_mut()?;
        let f = || catch_unwind(AssertUnwindSafe(|| f(protocol.as_mut())));
        // What it starts works for this connection.
        let group = Group::of_connection(self.conn.slot);
        match context.executor.run_for(group, f) {
            Ok(result) => Some(result),
            Err(payload) => {
                let message = panic_message(&*payload).unwrap_or("no message");
                tracing::error!(message, "a protocol panicked: its socket is closed");
                context.counters.panics.increment();
                self.failed = true;
                self.drop_protocol(context);
                None
            }
        }
    }

    fn drop_protocol(&mut self, context: &Context) {
        let protocol = self.protocol.take();
        if catch_unwind(AssertUnwindSafe(|| drop(protocol))).is_err() {
            tracing::error!("a protocol panicked while being dropped");
            context.counters.panics.increment();
        }
    }

    /// Receiving waits until the peer has read, or until more than its share is dealt with.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn on_received(&mut self, bytes: &[u8], context: &Context) {
        if self.sending.is_some() {
            self.received += bytes.len();
        }
        if !self.closing {
            let now = context.turn_time.get();
            self.call(context, |protocol| {
                protocol.receive(now, Input::Bytes(bytes))
            });
        }
    }

    /// The peer's end, or the socket's with `failed`.
    pub(crate) fn on_ended(&mut self, failed: bool, context: &Context) {
        if !std::mem::replace(&mut self.ended, true) {
            let now = context.turn_time.get();
            self.call(context, |protocol| protocol.receive(now, Input::End));
        }
        self.failed |= failed;
    }

    /// A send is complete; true when the socket wants to be pumped for it. Most do not: all that
    /// there was has gone out, and asking the protocol in vain costs each small reply a call.
    pub(crate) fn on_sent(&mut self) -> bool {
        let is_awaited = self.awaits_send();
        self.sending = None;
        self.is_stale = false;
        is_awaited
    }

    /// Whether there will be something to do once the send in flight is complete.
    fn awaits_send(&self) -> bool {
        let Some(sending) = &self.sending else {
            return false;
        };
        let is_partial = sending.len >= PARTIAL_BYTES;
        self.is_stale || is_partial || self.paused || self.closing || self.close_asked
    }

    /// Passes the wish for a graceful end on.
    pub(crate) fn drain(&mut self, context: &Context) {
        let now = context.turn_time.get();
        self.call(context, |protocol| protocol.drain(now));
    }

    /// Ends what a graceful end was waited for in vain.
    pub(crate) fn cut(&mut self, context: &Context) {
        let now = context.turn_time.get();
        if !self.closing {
            self.call(context, |protocol| protocol.cut(now));
        }
    }

    /// Does what this turn asks for: advance, transmit, send, and note the next deadline.
    pub(crate) fn pump(
        &mut self,
        reasons: Reasons,
        driver: &mut dyn Driver,
        context: &Context,
    ) -> After {
        let now = context.turn_time.get();
        if reasons.has(Reasons::TIMER) {
            self.timer = None;
        }
        if let Some(until) = self.linger_until {
            return self.linger(until, context);
        }
        self.close_asked |= reasons.has(Reasons::CLOSE);
        let due = reasons.has(Reasons::TOUCH) || reasons.has(Reasons::TIMER) && self.is_due(now);
        if due && !self.failed && !self.closing {
            self.call(context, |protocol| protocol.advance(now));
        }
        self.flush(driver, context);
        if reasons.has(Reasons::TIMER) && self.is_stuck(now) {
            tracing::debug!("the peer does not read: its socket is closed");
            context.counters.stuck_sends.increment();
            self.on_ended(true, context);
        }
        if self.failed {
            return After::Close;
        }
        self.apply_backpressure(driver, context);
        if self.awaits_send() {
            driver.hasten(self.conn);
        }
        if self.closing {
            return self.close(driver, context);
        }
        let deadline = self.protocol.as_ref().and_then(|p| p.deadline());
        let give_up = self.sending.as_ref().and_then(|sending| sending.give_up);
        self.arm_timer(deadline, context);
        self.arm_timer(give_up, context);
        After::Keep
    }

    fn is_due(&self, now: Duration) -> bool {
        let deadline = self.protocol.as_ref().and_then(|p| p.deadline());
        deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Pulls output and sends it, unless a send is in flight.
    fn flush(&mut self, driver: &mut dyn Driver, context: &Context) {
        if self.sending.is_some() {
            self.is_stale = true;
            return;
        }
        let mut sent = 0;
        for _ in 0..ROUNDS_MAX {
            if self.failed || self.closing || self.sending.is_some() {
                return;
            }
            let was_last = self.close_asked;
            let len = self.transmit(driver, context);
            self.closing |= was_last;
            if len == 0 {
                return;
            }
            sent += len;
            if sent >= TURN_SEND_BYTES {
                break;
            }
        }
        context.dirty.mark(self.conn, Reasons::TRANSMIT);
    }

    /// One transmit and one send, of how many bytes.
    fn transmit(&mut self, driver: &mut dyn Driver, context: &Context) -> usize {
        let mut output = take_buffer();
        let flow = self.call(context, |protocol| protocol.transmit(&mut output));
        self.closing |= flow == Some(Flow::Close);
        if output.is_empty() || flow.is_none() {
            give_buffer(output);
            return 0;
        }
        let len = output.len();
        context.counters.sends.increment();
        context.counters.sent_bytes.add(len as u64);
        match driver.send(self.conn, output) {
            Sending::Done(buffer) => give_buffer(buffer),
            Sending::Pending => {
                let give_up = context.turn_time.get().checked_add(context.send_time_max);
                self.sending = Some(InFlight { len, give_up });
                self.received = 0;
            }
            Sending::Failed(error) => {
                tracing::debug!(%error, "a send failed");
                self.on_ended(true, context);
            }
        }
        len
    }

    /// Stops receiving from a peer that sends without reading, until it has read, and from one
    /// that has asked for more than its share of a turn, until that is dealt with.
    fn apply_backpressure(&mut self, driver: &mut dyn Driver, context: &Context) {
        // Never below the size of the send itself: of two peers that flood each other, the one
        // whose send is smaller then always gets it through.
        let is_deaf = self.sending.as_ref().is_some_and(|sending| {
            self.received > sending.len
                && (self.received > RECEIVE_AHEAD_MAX || !self.wants_input())
        });
        // What is closing deals with nothing any more, and must see the peer's end.
        let has_backlog = || self.protocol.as_ref().is_some_and(|p| p.has_backlog());
        let pause = is_deaf || !self.closing && has_backlog();
        if pause != self.paused {
            self.paused = pause;
            if pause {
                context.counters.pauses.increment();
            }
            driver.receive(self.conn, !pause);
        }
    }

    fn wants_input(&self) -> bool {
        self.protocol.as_ref().is_none_or(|p| p.wants_input())
    }

    /// A send has been in flight for so long that its peer does not read.
    fn is_stuck(&self, now: Duration) -> bool {
        let give_up = self.sending.as_ref().and_then(|sending| sending.give_up);
        give_up.is_some_and(|moment| moment <= now)
    }

    /// Waits for the last send, but not for a peer that has stopped reading.
    fn close(&mut self, driver: &mut dyn Driver, context: &Context) -> After {
        if self.sending.is_none() {
            return self.finish(driver, context);
        }
        let now = context.turn_time.get();
        let until = *self.close_by.get_or_insert(now + LAST_SEND);
        if until <= now {
            return After::Close;
        }
        self.arm_timer(Some(until), context);
        After::Keep
    }

    /// All is sent: ends our side, and waits for the peer to end its own.
    fn finish(&mut self, driver: &mut dyn Driver, context: &Context) -> After {
        self.drop_protocol(context);
        if self.ended {
            return After::Close;
        }
        driver.shut_write(self.conn);
        let until = context.turn_time.get() + LINGER;
        self.linger_until = Some(until);
        self.linger(until, context)
    }

    fn linger(&mut self, until: Duration, context: &Context) -> After {
        if self.ended || self.failed || until <= context.turn_time.get() {
            return After::Close;
        }
        self.arm_timer(Some(until), context);
        After::Keep
    }

    /// Sets the timer for `deadline`, unless it fires no later anyway: an early timer finds
    /// nothing due and is set anew, which is cheaper than moving it with every request.
    fn arm_timer(&mut self, deadline: Option<Duration>, context: &Context) {
        let Some(deadline) = deadline else {
            return;
        };
        if self.timer.is_some_and(|(armed, _)| armed <= deadline) {
            return;
        }
        self.disarm_timer(context);
        let alarm = Alarm::Socket(self.conn);
        let key = context.timers.borrow_mut().insert(deadline, alarm);
        self.timer = Some((deadline, key));
    }

    fn disarm_timer(&mut self, context: &Context) {
        if let Some((_, key)) = self.timer.take() {
            context.timers.borrow_mut().cancel(key);
        }
    }

    /// Lets go of everything the socket holds on the shard.
    pub(crate) fn retire(&mut self, context: &Context) {
        self.disarm_timer(context);
        self.drop_protocol(context);
    }
}
