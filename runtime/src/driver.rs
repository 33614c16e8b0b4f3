//! What a shard needs of an engine, and what an engine reports back.
//!
//! The shard's loop knows only this file; `ring` and `epoll` implement it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use crate::engine::Engine;
use crate::slots::ConnId;

/// How long a kernel entry may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: there is work left.
    Poll,
    /// At most this long.
    AtMost(Duration),
    /// Until something happens.
    Forever,
    /// Until this many things have happened, and at most so long.
    Several(u32, Duration),
}

/// What became of a send.
pub(crate) enum Sending {
    /// All of it went out at once; the buffer is free again.
    Done(Vec<u8>),
    /// The driver owns the buffer until it reports [`Sink::sent`] or [`Sink::ended`].
    Pending,
    /// The socket is broken.
    Failed(io::Error),
}

/// The engine of one shard. Stays on the thread it was made on.
pub(crate) trait Driver {
    /// Which engine this is.
    fn engine(&self) -> Engine;

    /// Accepts on `socket` from here on, reporting under the index `listener`.
    fn listen(&mut self, listener: usize, socket: Socket) -> io::Result<()>;

    /// Accepts again after [`Sink::accept_failed`].
    fn retry_accept(&mut self, listener: usize);

    /// Closes all listeners, after reporting what already stood in their queues.
    fn stop_listening(&mut self);

    /// Whether a listener is still open.
    fn is_listening(&self) -> bool;

    /// Takes over a connected socket. Nothing is received until [`receive`](Self::receive).
    fn adopt(&mut self, socket: OwnedFd) -> io::Result<ConnId>;

    /// Connects `socket`; the outcome comes as [`Sink::connected`].
    fn connect(&mut self, socket: Socket, address: SockAddr) -> io::Result<ConnId>;

    /// Begins, resumes or pauses receiving. Some bytes may still come after a pause.
    fn receive(&mut self, conn: ConnId, on: bool);

    /// Sends all of `buffer`, which is not empty. At most one send is in flight per connection.
    fn send(&mut self, conn: ConnId, buffer: Vec<u8>) -> Sending;

    /// Whoever sent on `conn` waits to hear of it: the next wait must not sleep over a send that
    /// is complete by then.
    fn hasten(&mut self, conn: ConnId);

    /// Tells the peer that nothing more will be sent.
    fn shut_write(&mut self, conn: ConnId);

    /// Gives the connection up. Nothing more is reported of it; the socket is closed as soon as
    /// the kernel has let go of its buffers.
    fn close(&mut self, conn: ConnId);

    /// Whether the next [`wait`](Self::wait) must not block, as events are left from this turn.
    fn has_work(&self) -> bool;

    /// Whether the kernel has something to report already, so that the next wait will not sleep.
    fn has_news(&mut self) -> io::Result<bool>;

    /// The turn's kernel entry: submits, and sleeps as `wait` permits.
    fn wait(&mut self, wait: Wait) -> io::Result<()>;

    /// Starts at once what would else start with the next wait: what follows in this turn is long.
    fn submit(&mut self) -> io::Result<()>;

    /// Reports everything that happened up to the end of the last wait.
    fn dispatch(&mut self, sink: &mut dyn Sink);

    /// Closes everything, waiting at most `patience` for the kernel to let go of it.
    fn shutdown(&mut self, patience: Duration);
}

/// Where a driver reports. Connections that were closed are never named.
pub(crate) trait Sink {
    /// A listener accepted a socket.
    fn accepted(&mut self, listener: usize, socket: OwnedFd);
    /// A listener cannot accept now, typically for want of descriptors.
    fn accept_failed(&mut self, listener: usize, error: io::Error);
    /// Bytes came in; they are valid only during the call.
    fn received(&mut self, conn: ConnId, bytes: &[u8]);
    /// The peer will send no more, or, with an error, the socket is broken both ways.
    fn ended(&mut self, conn: ConnId, failure: Option<io::Error>);
    /// A pending send is complete, and here is its buffer.
    fn sent(&mut self, conn: ConnId, buffer: Vec<u8>);
    /// A connect is over.
    fn connected(&mut self, conn: ConnId, result: io::Result<()>);
}
