//! Conversion of completions to reports for the shard.

use std::io;
use std::os::fd::AsFd;

use socket2::SockRef;

use super::Uring;
use crate::buffer::pool::give_buffer;
use crate::driver::Sink;
use crate::op::receive::Received;
use crate::op::send::{Progress, SendOp};
use crate::op::{Completion, Tag, Token, accept, receive};
use crate::slots::ConnId;

impl Uring {
    /// Reads all completions of the kernel and reports them.
    pub(super) fn reap_all(&mut self, sink: &mut dyn Sink) {
        let mut reaped = std::mem::take(&mut self.reaped);
        let overflows = self.queue.reap(&mut reaped);
        self.counters.overflows.add(u64::from(overflows));
        self.counters.completions.add(reaped.len() as u64);
        for completion in reaped.drain(..) {
            self.complete(&completion, sink);
        }
        self.reaped = reaped;
        self.has_lost |= overflows > 0;
        self.settle(sink);
        while let Some(index) = self.stopped.pop_front() {
            self.close_listener(index, sink);
        }
    }

    fn complete(&mut self, completion: &Completion, sink: &mut dyn Sink) {
        if !completion.has_more() {
            debug_assert!(self.in_flight > 0);
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        let Some(token) = Token::unpack(completion.user_data) else {
            tracing::error!(?completion, "a completion of nothing we submitted");
            return;
        };
        match token.tag {
            Tag::Accept => self.complete_accept(token.conn.slot as usize, completion, sink),
            Tag::Receive => self.complete_receive(token.conn, completion, sink),
            Tag::Send => self.complete_send(token.conn, completion, sink),
            Tag::Connect => self.complete_connect(token.conn, completion, sink),
            Tag::Cancel => self.complete_cancel(token.conn, completion),
            Tag::CancelOther => {}
            Tag::Wake if completion.has_more() => {}
            Tag::Wake => self.watch_mailbox(),
        }
    }

    fn complete_accept(&mut self, index: usize, completion: &Completion, sink: &mut dyn Sink) {
        let result = accept::complete(completion);
        let Some(Some(listener)) = self.listeners.get_mut(index) else {
            return;
        };
        listener.armed = completion.has_more();
        let (armed, closing) = (listener.armed, listener.closing);
        let mut again = true;
        match result {
            Ok(socket) => sink.accepted(index, socket),
            Err(error) if closing || is_about_the_peer(&error) => {}
            Err(error) => {
                // Accepting at once would fail at once: the shard says when to try again.
                again = false;
                sink.accept_failed(index, error);
            }
        }
        if closing && !armed {
            self.close_listener(index, sink);
        } else if again {
            self.arm_accept(index);
        }
    }

    /// Accepts the connections that are already in a listener's queue, so that they are not reset,
    /// then closes the listener.
    pub(super) fn close_listener(&mut self, index: usize, sink: &mut dyn Sink) {
        let Some(listener) = self.listeners.get_mut(index).and_then(Option::take) else {
            return;
        };
        if listener.socket.set_nonblocking(true).is_ok() {
            while let Ok((socket, _)) = listener.socket.accept() {
                sink.accepted(index, socket.into());
            }
        }
    }

    fn complete_receive(&mut self, id: ConnId, completion: &Completion, sink: &mut dyn Sink) {
        let received = receive::complete(completion);
        let is_starved = matches!(received, Received::Starved);
        let mut report = false;
        if let Some(connection) = self.connections.find(id) {
            if !completion.has_more() {
                connection.armed = false;
                connection.cancelling = false;
                connection.completed();
            }
            report = !connection.closing && !connection.ended;
            if matches!(received, Received::End | Received::Failed(_)) {
                connection.ended = true;
            }
        }
        self.report_receive(id, received, report, sink);
        if completion.has_more() {
            return;
        }
        self.free_if_done(id);
        if is_starved {
            self.starved.push(id);
        } else {
            self.arm(id);
        }
    }

    /// Reports a receive. The buffer is returned even if its connection is closed.
    fn report_receive(
        &mut self,
        id: ConnId,
        received: Received,
        report: bool,
        sink: &mut dyn Sink,
    ) {
        match received {
            Received::Bytes { buffer, len } => {
                if report && let Some(bytes) = self.buffers.received(buffer, len) {
                    self.counters.receives.increment();
                    self.counters.received_bytes.add(len as u64);
                    sink.received(id, bytes);
                }
                self.buffers.give_back(buffer);
            }
            Received::End if report => sink.ended(id, None),
            Received::Failed(error) if report => sink.ended(id, Some(error)),
            Received::Starved => {
                self.counters.starved.increment();
                self.buffers.grow();
            }
            _ => {}
        }
    }

    fn complete_send(&mut self, id: ConnId, completion: &Completion, sink: &mut dyn Sink) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        let Some(mut send) = connection.send.take() else {
            tracing::error!(?completion, "a send completed that was not in flight");
            return;
        };
        let progress = send.complete(completion);
        self.proceed(id, send, progress, sink);
    }

    /// Ends the quiet sends that the kernel has taken without a completion: all their bytes are
    /// sent. If the kernel has lost completions, a missing one proves nothing, and their sockets
    /// are closed.
    fn settle(&mut self, sink: &mut dyn Sink) {
        if self.quiet.is_empty() {
            self.has_lost = false;
            return;
        }
        let Some(taken) = self.queue.taken() else {
            return;
        };
        let has_lost = std::mem::take(&mut self.has_lost);
        while let Some(&(number, id)) = self.quiet.front().filter(|(number, _)| *number < taken) {
            self.quiet.pop_front();
            if let Some(connection) = self.connections.find(id)
                && let Some(send) = connection
                    .send
                    .take_if(|send| send.quiet_number() == Some(number))
            {
                let progress = match has_lost {
                    true => Progress::Failed(io::Error::other("the kernel lost completions")),
                    false => Progress::Done,
                };
                self.in_flight = self.in_flight.saturating_sub(1);
                self.proceed(id, send, progress, sink);
            }
        }
        self.is_hastened &= !self.quiet.is_empty();
    }

    /// Continues or ends a send by its progress.
    fn proceed(&mut self, id: ConnId, send: SendOp, progress: Progress, sink: &mut dyn Sink) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        let closing = connection.closing;
        match progress {
            Progress::More if !closing => {
                connection.send = Some(send);
                self.submit_send(id);
                return;
            }
            Progress::Done if !closing => {
                connection.completed();
                sink.sent(id, send.into_buffer());
            }
            Progress::Failed(error) if !closing => {
                connection.completed();
                give_buffer(send.into_buffer());
                sink.ended(id, Some(error));
            }
            _ => {
                connection.completed();
                give_buffer(send.into_buffer());
            }
        }
        self.free_if_done(id);
    }

    fn complete_connect(&mut self, id: ConnId, completion: &Completion, sink: &mut dyn Sink) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        connection.connect = None;
        connection.completed();
        if !connection.closing {
            sink.connected(id, completion.outcome().map(drop));
        }
        self.free_if_done(id);
    }

    fn complete_cancel(&mut self, id: ConnId, completion: &Completion) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        connection.completed();
        connection.cancelling = false;
        if completion.result < 0 && connection.closing && !connection.is_at_rest() {
            // The cancel missed its target, so end it by the socket instead.
            let socket = connection.socket();
            let _ = SockRef::from(&socket.as_fd()).shutdown(std::net::Shutdown::Both);
        }
        if connection.should_cancel() {
            // Missed while the receive was running: it is waiting again by now.
            connection.cancelling = true;
            self.cancel(id, Tag::Receive);
        }
        self.free_if_done(id);
    }
}

/// Returns `true` if an accept failed for a reason that concerned only that one peer.
fn is_about_the_peer(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ECONNABORTED | libc::EINTR | libc::EAGAIN | libc::EPROTO | libc::ECANCELED)
    )
}
