//! Engine on io_uring.

mod completion;
mod probe;
mod queue;
mod setup;
mod teardown;

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockAddr, SockRef, Socket};

pub(crate) use self::probe::{OPTIONS as PROBE_OPTIONS, probe};
pub use self::setup::RingOptions;

use self::queue::Queue;
use crate::buffer::provided::ProvidedRing;
use crate::driver::{Driver, Sending, Sink, Wait};
use crate::engine::Engine;
use crate::mailbox::Mailbox;
use crate::op::connect::ConnectOp;
use crate::op::lifecycle::Connection;
use crate::op::receive::GROUP;
use crate::op::send::SendOp;
use crate::op::{Completion, Submission, Tag, accept, cancel, receive, wake};
use crate::slots::{ConnId, Slots};
use crate::stats::Counters;

/// Largest quiet send in bytes. A longer one may well not fit its socket, so it asks for
/// completions at once.
const QUIET_BYTES_MAX: usize = 64 * 1024;

/// Listener, and whether the kernel has its multishot accept.
struct Listener {
    socket: Socket,
    armed: bool,
    closing: bool,
}

/// Ring of one shard, with everything that the kernel may touch.
///
/// The queue and the buffers are dropped by hand, because what is still in flight at the end of a
/// teardown keeps its memory forever.
pub(crate) struct Uring {
    queue: ManuallyDrop<Queue>,
    buffers: ManuallyDrop<ProvidedRing>,
    connections: ManuallyDrop<Slots<Connection>>,
    listeners: Vec<Option<Listener>>,
    /// Connections whose receive found no buffer.
    starved: Vec<ConnId>,
    /// Quiet sends without a completion so far, with the numbers of their submissions.
    quiet: VecDeque<(u64, ConnId)>,
    /// True if the end of one of the quiet sends is awaited.
    is_hastened: bool,
    /// True if the kernel has lost completions since the quiet sends were last checked.
    has_lost: bool,
    /// Buffer into which completions are copied before processing; empty in between.
    reaped: Vec<Completion>,
    /// Listeners without an accept to cancel, to be closed in the next dispatch.
    stopped: VecDeque<usize>,
    /// True while the ring is being torn down: nothing is submitted again.
    is_ending: bool,
    /// Number of submissions whose last completion has not arrived, including those of no
    /// connection.
    in_flight: usize,
    mailbox: Arc<Mailbox>,
    counters: Rc<Counters>,
}

impl Uring {
    /// Creates a ring on the calling thread. `seed` keeps its connection ids apart from other
    /// drivers'.
    pub(crate) fn new(
        options: &RingOptions,
        mailbox: Arc<Mailbox>,
        counters: Rc<Counters>,
        seed: u32,
    ) -> io::Result<Self> {
        let queue = Queue::new(options)?;
        let initial = options.buffers_initial;
        let buffers = ProvidedRing::new(options.buffers, options.buffer_bytes, initial)?;
        // SAFETY: the buffers are freed after the queue, and only once nothing is in flight.
        unsafe { queue.register(&buffers, GROUP)? };
        buffers.publish();
        let mut uring = Self {
            queue: ManuallyDrop::new(queue),
            buffers: ManuallyDrop::new(buffers),
            connections: ManuallyDrop::new(Slots::new(seed)),
            listeners: Vec::new(),
            starved: Vec::new(),
            quiet: VecDeque::new(),
            is_hastened: false,
            has_lost: false,
            reaped: Vec::new(),
            stopped: VecDeque::new(),
            is_ending: false,
            in_flight: 0,
            mailbox,
            counters,
        };
        uring.watch_mailbox();
        Ok(uring)
    }

    fn push(&mut self, submission: Submission) {
        self.in_flight += 1;
        self.counters.submissions.increment();
        self.queue.push(submission);
    }

    fn watch_mailbox(&mut self) {
        if self.is_ending {
            return;
        }
        let mailbox = self.mailbox.clone();
        self.push(wake::prepare(mailbox.as_fd()));
    }

    /// Submits the receive of a connection if receiving is turned on and none is in progress.
    fn arm(&mut self, id: ConnId) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        if connection.should_arm() {
            connection.armed = true;
            connection.submitted();
            let submission = receive::prepare(connection.socket(), id);
            self.push(submission);
        }
    }

    /// Submits the rest of a connection's send.
    fn submit_send(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id)
            && let Some(send) = &connection.send
        {
            let submission = send.prepare(connection.socket(), id);
            self.push(submission);
        }
    }

    fn cancel(&mut self, id: ConnId, target: Tag) {
        if let Some(connection) = self.connections.find(id) {
            connection.submitted();
            self.push(cancel::prepare(target, id));
        }
    }

    /// Frees the slot of a closed connection, once the kernel holds nothing of it.
    fn free_if_done(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id)
            && connection.closing
            && connection.is_at_rest()
        {
            self.connections.remove(id);
        }
    }

    fn arm_accept(&mut self, index: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(index)
            && !listener.armed
            && !listener.closing
        {
            listener.armed = true;
            let submission = accept::prepare(listener.socket.as_fd(), index);
            self.push(submission);
        }
    }
}

impl Driver for Uring {
    fn engine(&self) -> Engine {
        Engine::Uring
    }

    fn listen(&mut self, index: usize, socket: Socket) -> io::Result<()> {
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, || None);
        }
        self.listeners[index] = Some(Listener {
            socket,
            armed: false,
            closing: false,
        });
        self.arm_accept(index);
        Ok(())
    }

    fn retry_accept(&mut self, index: usize) {
        self.arm_accept(index);
    }

    fn stop_listening(&mut self) {
        for index in 0..self.listeners.len() {
            let Some(listener) = &mut self.listeners[index] else {
                continue;
            };
            if std::mem::replace(&mut listener.closing, true) {
                continue;
            }
            if listener.armed {
                self.push(cancel::prepare_other(accept::token(index)));
            } else {
                self.stopped.push_back(index);
            }
        }
    }

    fn is_listening(&self) -> bool {
        self.listeners.iter().any(Option::is_some)
    }

    fn adopt(&mut self, socket: OwnedFd) -> io::Result<ConnId> {
        Ok(self.connections.insert(Connection::new(socket)))
    }

    fn connect(&mut self, socket: Socket, address: SockAddr) -> io::Result<ConnId> {
        let op = ConnectOp::new(address);
        let id = self.connections.insert(Connection::new(socket.into()));
        if let Some(connection) = self.connections.find(id) {
            let submission = op.prepare(connection.socket(), id);
            connection.connect = Some(op);
            connection.submitted();
            self.push(submission);
        }
        Ok(id)
    }

    fn receive(&mut self, id: ConnId, on: bool) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        connection.wanted = on;
        if connection.should_cancel() {
            connection.cancelling = true;
            self.cancel(id, Tag::Receive);
        } else {
            self.arm(id);
        }
    }

    fn send(&mut self, id: ConnId, buffer: Vec<u8>) -> Sending {
        let Some(connection) = self.connections.find(id) else {
            return Sending::Failed(io::ErrorKind::NotConnected.into());
        };
        assert!(connection.send.is_none(), "one send in flight at a time");
        connection.submitted();
        connection.send = Some(if self.queue.can_skip() && buffer.len() < QUIET_BYTES_MAX {
            let number = self.queue.next_number();
            self.quiet.push_back((number, id));
            SendOp::quiet(buffer, number)
        } else {
            SendOp::new(buffer)
        });
        self.submit_send(id);
        Sending::Pending
    }

    fn hasten(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id) {
            self.is_hastened |= connection.is_quiet();
        }
    }

    fn shut_write(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id) {
            // Fails only when the peer has gone already, which the receive will tell.
            let _ = SockRef::from(&connection.socket()).shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self, id: ConnId) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        connection.closing = true;
        connection.wanted = false;
        if !connection.is_at_rest() {
            // Closing a descriptor ends no op; a shutdown ends receives and sends at once.
            let _ = SockRef::from(&connection.socket()).shutdown(std::net::Shutdown::Both);
            // The end of a quiet send wakes nobody, and is all that may be awaited here.
            self.is_hastened |= connection.is_quiet();
            if connection.connect.is_some() {
                self.cancel(id, Tag::Connect);
            }
        }
        self.free_if_done(id);
    }

    fn has_work(&self) -> bool {
        self.queue.backlog() > 0 || !self.stopped.is_empty() || self.is_hastened
    }

    fn has_news(&mut self) -> io::Result<bool> {
        Ok(self.queue.has_news())
    }

    fn wait(&mut self, wait: Wait) -> io::Result<()> {
        self.buffers.publish();
        if self.queue.enter(wait)?.is_some() {
            self.counters.enters.increment();
        }
        Ok(())
    }

    fn submit(&mut self) -> io::Result<()> {
        // An entry takes a queue's worth at most, and nothing while the kernel wants to be reaped.
        let mut waiting = usize::MAX;
        while self.queue.backlog() < waiting {
            waiting = self.queue.backlog();
            self.wait(Wait::Poll)?;
        }
        Ok(())
    }

    fn dispatch(&mut self, sink: &mut dyn Sink) {
        self.reap_all(sink);
        while let Some(id) = self.starved.pop() {
            // The buffers of this batch are back by now, and are published before the entry.
            self.arm(id);
        }
    }

    fn shutdown(&mut self, patience: Duration) {
        self.tear_down(patience);
    }
}
