//! Pump of one connection, between its protocol and the driver.
//!
//! It is the same code for every protocol and both engines. Output is pulled only while no send is
//! in flight, so a turn makes at most one send per connection and a slow peer costs one buffer.

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

/// Largest number of bytes received while one send is in flight. After that, and after as many
/// bytes as that send has, receiving pauses until the peer has read the send.
const RECEIVE_AHEAD_MAX: usize = 1024 * 1024;
/// Size in bytes from which a send may be only a part of the output, so that the protocol is asked
/// again afterwards.
const PARTIAL_BYTES: usize = 64 * 1024;
/// Largest number of times that a turn asks one protocol for more output, if sends complete at
/// once.
const ROUNDS_MAX: usize = 16;
/// Largest number of bytes that a turn sends on one socket, if sends complete at once. The rest
/// waits for the next turn, so that a reader of large replies does not delay other connections.
const TURN_SEND_BYTES: usize = 512 * 1024;
/// Time that the peer has to close its side after the last send. Closing a socket with unread bytes
/// would reset it, and the peer could lose the last bytes sent.
const LINGER: Duration = Duration::from_secs(1);

/// Limit on the time of the last send of a closing socket, so that a peer that caused the end and
/// stops reading cannot hold the socket and its output forever.
const LAST_SEND: Duration = Duration::from_secs(10);

/// Fate of a socket after a pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Close,
}

/// Send that is not complete.
struct InFlight {
    len: usize,
    /// Moment at which the send is given up; `None` for no limit.
    give_up: Option<Duration>,
}

/// Socket with a protocol on it.
pub(crate) struct Socket {
    conn: ConnId,
    /// Protocol of the socket; `None` while lingering, when only the peer's end is awaited.
    protocol: Option<Box<dyn Protocol>>,
    /// True if accepted rather than connected: then it counts as load, and is drained.
    pub(crate) is_accepted: bool,
    sending: Option<InFlight>,
    /// Number of bytes received since that send began.
    received: usize,
    /// True if there may be more to do once that send is complete.
    is_stale: bool,
    paused: bool,
    /// True once the protocol has been informed of the end.
    ended: bool,
    /// True if the socket or the protocol is broken, so that nothing can be sent.
    failed: bool,
    /// True once the protocol is not called any more: its transmitted output is sent, then the
    /// socket closes.
    closing: bool,
    /// True if a [`SocketHandle::close`](crate::SocketHandle::close) waits for the send in flight.
    close_asked: bool,
    /// Moment at which a last send that is still in flight is given up.
    close_by: Option<Duration>,
    /// Moment at which lingering ends.
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

    /// Calls the protocol, if there is one. A panic breaks this socket and no other.
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

    /// Returns `true` if receiving is paused, either until the peer has read its output or until
    /// earlier input is processed.
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

    /// Handles the peer's end or, if `failed`, the end of the socket.
    pub(crate) fn on_ended(&mut self, failed: bool, context: &Context) {
        if !std::mem::replace(&mut self.ended, true) {
            let now = context.turn_time.get();
            self.call(context, |protocol| protocol.receive(now, Input::End));
        }
        self.failed |= failed;
    }

    /// Handles a completed send. Returns `true` if the socket must be pumped for it. Most sockets
    /// have sent all output, and a useless call of the protocol would make each small reply more
    /// expensive.
    pub(crate) fn on_sent(&mut self) -> bool {
        let is_awaited = self.awaits_send();
        self.sending = None;
        self.is_stale = false;
        is_awaited
    }

    /// Returns `true` if there will be work once the send in flight is complete.
    fn awaits_send(&self) -> bool {
        let Some(sending) = &self.sending else {
            return false;
        };
        let is_partial = sending.len >= PARTIAL_BYTES;
        self.is_stale || is_partial || self.paused || self.closing || self.close_asked
    }

    /// Passes the request for a graceful end to the protocol.
    pub(crate) fn drain(&mut self, context: &Context) {
        let now = context.turn_time.get();
        self.call(context, |protocol| protocol.drain(now));
    }

    /// Ends the protocol at once when the time of the drain is over.
    pub(crate) fn cut(&mut self, context: &Context) {
        let now = context.turn_time.get();
        if !self.closing {
            self.call(context, |protocol| protocol.cut(now));
        }
    }

    /// Performs the work of this turn: advance, transmit, send, and set the next deadline.
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

    /// Performs one transmit and one send, and returns the number of bytes.
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

    /// Pauses receiving from a peer that sends without reading, until it has read, and from a peer
    /// that has requested more than its share of a turn, until that is processed.
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

    /// Returns `true` if a send has been in flight for so long that the peer does not read.
    fn is_stuck(&self, now: Duration) -> bool {
        let give_up = self.sending.as_ref().and_then(|sending| sending.give_up);
        give_up.is_some_and(|moment| moment <= now)
    }

    /// Waits for the last send, unless the peer has stopped reading.
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

    /// Closes the local side after everything is sent, and waits until the peer closes its own.
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

    /// Sets the timer for `deadline`, unless it already fires at that time or before. An early
    /// timer finds nothing due and is set again, which is cheaper than moving it with every
    /// request.
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

    /// Releases everything that the socket holds on the shard.
    pub(crate) fn retire(&mut self, context: &Context) {
        self.disarm_timer(context);
        self.drop_protocol(context);
    }
}
