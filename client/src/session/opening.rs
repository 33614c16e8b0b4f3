//! Queue of calls that wait for a stream: in order, up to the server's limit on concurrent streams.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use corespun_codec::message::{Framing, PREFIX_BYTES, write_prefix};
use corespun_codec::{Encoding, Status};
use corespun_http2::{OpenError, StreamKey};
use prost::Message;

use super::Session;
use crate::outgoing::Outgoing;

/// Reason why a call has no stream.
pub(crate) enum Unopened {
    /// The connection accepts no new calls; another one is needed.
    Gone,
    /// The call cannot be sent to this server.
    Refused(Status),
}

/// Calls that wait for a stream, each with a ticket; tickets increase.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(u64, Option<Waker>)>,
    next_ticket: u64,
}

impl Queue {
    /// Returns true if the holder of `ticket`, or a call without one, may open its stream.
    fn is_turn(&self, ticket: Option<u64>) -> bool {
        self.waiting
            .front()
            .is_none_or(|(first, _)| Some(*first) == ticket)
    }

    fn wait(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let held = ticket.unwrap_or_else(|| {
            let drawn = self.next_ticket;
            self.next_ticket += 1;
            self.waiting.push_back((drawn, None));
            *ticket.insert(drawn)
        });
        if let Some(at) = self.position(held) {
            self.waiting[at].1 = Some(waker.clone());
        }
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.waiting
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket)
            .ok()
    }

    fn leave(&mut self, ticket: u64) {
        if let Some(at) = self.position(ticket) {
            self.waiting.remove(at);
        }
    }

    fn wake_first(&mut self) {
        let waker = self.waiting.front_mut().and_then(|(_, waker)| waker.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        for waker in self
            .waiting
            .iter_mut()
            .filter_map(|(_, waker)| waker.take())
        {
            waker.wake();
        }
    }
}

impl Session {
    /// Opens a stream with the request head when it is this call's turn.
    pub(crate) fn poll_open(
        &mut self,
        context: &mut Context<'_>,
        ticket: &mut Option<u64>,
        outgoing: &Outgoing,
    ) -> Poll<Result<StreamKey, Unopened>> {
        if !self.is_open() {
            return Poll::Ready(Err(Unopened::Gone));
        }
        if self.queue.is_turn(*ticket) {
            if let Err(status) = self.requests.check_size(&self.http2, outgoing) {
                return Poll::Ready(Err(Unopened::Refused(status)));
            }
            self.lend_output();
            match self.requests.open(&mut self.http2, outgoing) {
                Ok(stream) => {
                    if let Some(ticket) = ticket.take() {
                        self.leave_queue(ticket);
                    }
                    return Poll::Ready(Ok(stream));
                }
                Err(OpenError::AtPeerLimit) => {}
                Err(OpenError::GoingAway | OpenError::IdsExhausted) => {
                    self.retire();
                    return Poll::Ready(Err(Unopened::Gone));
                }
            }
        }
        self.queue.wait(ticket, context.waker());
        Poll::Pending
    }

    /// Leaves the queue.
    pub(crate) fn leave_queue(&mut self, ticket: u64) {
        self.queue.leave(ticket);
        self.wake_next();
    }

    /// Wakes the first call in the queue if it can open its stream; that call wakes the next one.
    pub(super) fn wake_next(&mut self) {
        if self.http2.can_open() {
            self.queue.wake_first();
        }
    }

    /// Sends the single request of a call after its head. The message is encoded in place if it is
    /// not compressed and fits into the windows. `framing` must be able to measure it. Returns its
    /// size on the wire in bytes.
    pub(crate) fn send_message<Q: Message>(
        &mut self,
        stream: StreamKey,
        message: &Q,
        framing: Framing,
    ) -> usize {
        let len = message.encoded_len();
        if framing.encoding == Encoding::Identity
            && let Some(out) = self.http2.data_in_place(stream, PREFIX_BYTES + len, true)
        {
            write_prefix(out, false, len);
            message.encode_raw(out);
            return len;
        }
        let mut framed = corespun_runtime::take_buffer();
        if framing.encode(message, &mut framed).is_ok() {
            self.http2.send_data(stream, &framed, true);
        }
        let wire = framed.len().saturating_sub(PREFIX_BYTES);
        corespun_runtime::give_buffer(framed);
        wire
    }
}
