//! Table of all sockets of a shard by connection id, and the sink for the driver's reports.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::connect::Ticket;
use crate::context::Context;
use crate::dirty::Reasons;
use crate::driver::Sink;
use crate::protocol::Protocol;
use crate::rare::Rare;
use crate::slots::ConnId;
use crate::socket::Socket;

enum State {
    /// Connecting, or connected without a protocol yet.
    Waiting(Rc<Ticket>),
    Open(Socket),
}

/// Table of the sockets, in the slots that the driver chose for them.
#[derive(Default)]
pub(crate) struct Sockets {
    places: Vec<Option<(ConnId, State)>>,
    /// Number of accepted sockets, which a drain waits for.
    accepted: usize,
}

impl Sockets {
    fn put(&mut self, id: ConnId, state: State) {
        let slot = id.slot as usize;
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, || None);
        }
        assert!(
            self.places[slot].is_none(),
            "the driver reuses free slots only"
        );
        self.places[slot] = Some((id, state));
    }

    fn find(&mut self, id: ConnId) -> Option<&mut State> {
        match self.places.get_mut(id.slot as usize)?.as_mut()? {
            (found, state) if *found == id => Some(state),
            _ => None,
        }
    }

    pub(crate) fn open(&mut self, id: ConnId, protocol: Box<dyn Protocol>, is_accepted: bool) {
        self.accepted += usize::from(is_accepted);
        self.put(id, State::Open(Socket::new(id, protocol, is_accepted)));
    }

    /// Adds a socket that is connecting; its outcome goes to `ticket`.
    pub(crate) fn wait(&mut self, id: ConnId, ticket: Rc<Ticket>) {
        self.put(id, State::Waiting(ticket));
    }

    /// Returns `true` if `id` is connected or connecting, and has no protocol yet.
    pub(crate) fn is_waiting(&mut self, id: ConnId) -> bool {
        matches!(self.find(id), Some(State::Waiting(_)))
    }

    pub(crate) fn socket(&mut self, id: ConnId) -> Option<&mut Socket> {
        match self.find(id)? {
            State::Open(socket) => Some(socket),
            State::Waiting(_) => None,
        }
    }

    /// Removes a socket, and returns it if it had a protocol.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Socket> {
        self.find(id)?;
        match self.places[id.slot as usize].take() {
            Some((_, State::Open(socket))) => {
                self.accepted -= usize::from(socket.is_accepted);
                Some(socket)
            }
            _ => None,
        }
    }

    /// Returns the number of accepted sockets that are open.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    /// Returns the ids of all sockets, including connecting ones.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.places.iter().flatten().map(|(id, _)| *id).collect()
    }
}

/// Work that a dispatch leaves for the driver, once that is not borrowed any more.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) accepted: Vec<(usize, OwnedFd)>,
    pub(crate) accept_failed: Vec<usize>,
    pub(crate) connect_failed: Vec<ConnId>,
}

/// Sink of the driver: passes bytes to protocols in place, and records the rest.
pub(crate) struct Intake<'a> {
    pub(crate) sockets: &'a mut Sockets,
    pub(crate) inbox: &'a mut Inbox,
    pub(crate) context: &'a Context,
}

impl Sink for Intake<'_> {
    fn accepted(&mut self, listener: usize, socket: OwnedFd) {
        self.context.counters.accepted.increment();
        self.inbox.accepted.push((listener, socket));
    }

    fn accept_failed(&mut self, listener: usize, error: io::Error) {
        static LINES: Rare = Rare::new();
        if let Some(left_out) = LINES.admit(self.context.turn_time.get()) {
            tracing::warn!(listener, %error, left_out, "failed to accept: trying again shortly");
        }
        self.inbox.accept_failed.push(listener);
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(socket) = self.sockets.socket(id) {
            socket.on_received(bytes, self.context);
            self.context.dirty.mark(id, Reasons::TRANSMIT);
        }
    }

    fn ended(&mut self, id: ConnId, failure: Option<io::Error>) {
        if let Some(socket) = self.sockets.socket(id) {
            if let Some(error) = &failure {
                tracing::debug!(%error, "a socket failed");
            }
            socket.on_ended(failure.is_some(), self.context);
            self.context.dirty.mark(id, Reasons::TRANSMIT);
        }
    }

    fn sent(&mut self, id: ConnId, buffer: Vec<u8>) {
        crate::buffer::pool::give_buffer(buffer);
        if let Some(socket) = self.sockets.socket(id)
            && socket.on_sent()
        {
            self.context.dirty.mark(id, Reasons::TRANSMIT);
        }
    }

    fn connected(&mut self, id: ConnId, result: io::Result<()>) {
        if let Some(State::Waiting(ticket)) = self.sockets.find(id) {
            if result.is_err() {
                self.inbox.connect_failed.push(id);
            }
            ticket.finish(result.map(|()| id));
        }
    }
}
