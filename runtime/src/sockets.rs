//! All sockets of a shard, by connection id, and where the driver reports to.

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
    /// Connecting, or connected and waiting for its protocol.
    Waiting(Rc<Ticket>),
    Open(Socket),
}

/// Sockets in the slots that the driver chose for them.
#[derive(Default)]
pub(crate) struct Sockets {
    places: Vec<Option<(ConnId, State)>>,
    /// Those accepted, which a drain waits for.
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

    /// A connect began; its outcome goes to `ticket`.
    pub(crate) fn wait(&mut self, id: ConnId, ticket: Rc<Ticket>) {
        self.put(id, State::Waiting(ticket));
    }

    /// Whether `id` is connected or connecting, without a protocol so far.
    pub(crate) fn is_waiting(&mut self, id: ConnId) -> bool {
        matches!(self.find(id), Some(State::Waiting(_)))
    }

    pub(crate) fn socket(&mut self, id: ConnId) -> Option<&mut Socket> {
        match self.find(id)? {
            State::Open(socket) => Some(socket),
            State::Waiting(_) => None,
        }
    }

    /// Takes a socket out. Answers it if it had a protocol.
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

    /// How many accepted sockets are open.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    /// The ids of all sockets, connecting ones included.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.places.iter().flatten().map(|(id, _)| *id).collect()
    }
}

/// What a dispatch leaves to be done with the driver, once it is free again.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) accepted: Vec<(usize, OwnedFd)>,
    pub(crate) accept_failed: Vec<usize>,
    pub(crate) connect_failed: Vec<ConnId>,
}

/// The driver's sink: feeds protocols in place, and notes the rest.
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
