//! Interface between a shard and its engine: operations of the engine, and its reports.
//!
//! The shard's loop uses only this file; `ring` and `epoll` implement it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use crate::engine::Engine;
use crate::slots::ConnId;

/// Limit on the sleep of a kernel entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// No sleep: there is work left.
    Poll,
    /// Sleep of at most this time.
    AtMost(Duration),
    /// Sleep until something happens.
    Forever,
    /// Sleep until this many events have happened, but at most this time.
    Several(u32, Duration),
}

/// Result of starting a send.
pub(crate) enum Sending {
    /// All bytes were sent at once; the buffer is free again.
    Done(Vec<u8>),
    /// The driver owns the buffer until it reports [`Sink::sent`] or [`Sink::ended`].
    Pending,
    /// The socket is broken.
    Failed(io::Error),
}

/// Engine of one shard. Stays on the thread that made it.
pub(crate) trait Driver {
    /// Returns the kind of this engine.
    fn engine(&self) -> Engine;

    /// Accepts on `socket` from now on, and reports connections with the index `listener`.
    fn listen(&mut self, listener: usize, socket: Socket) -> io::Result<()>;

    /// Resumes accepting after [`Sink::accept_failed`].
    fn retry_accept(&mut self, listener: usize);

    /// Closes all listeners, after reporting the connections that are already in their queues.
    fn stop_listening(&mut self);

    /// Returns `true` while a listener is open.
    fn is_listening(&self) -> bool;

    /// Takes over a connected socket. Nothing is received before [`receive`](Self::receive).
    fn adopt(&mut self, socket: OwnedFd) -> io::Result<ConnId>;

    /// Connects `socket`; the outcome is reported by [`Sink::connected`].
    fn connect(&mut self, socket: Socket, address: SockAddr) -> io::Result<ConnId>;

    /// Starts, resumes or pauses receiving. Some bytes may still be reported after a pause.
    fn receive(&mut self, conn: ConnId, on: bool);

    /// Sends all of `buffer`, which must not be empty. At most one send is in flight per
    /// connection.
    fn send(&mut self, conn: ConnId, buffer: Vec<u8>) -> Sending;

    /// Reports the send on `conn` as soon as it is complete: the next wait must not sleep while a
    /// send that is complete is unreported.
    fn hasten(&mut self, conn: ConnId);

    /// Tells the peer that no more bytes will be sent.
    fn shut_write(&mut self, conn: ConnId);

    /// Closes the connection. Nothing more is reported for it; the socket is closed as soon as the
    /// kernel has released its buffers.
    fn close(&mut self, conn: ConnId);

    /// Returns `true` if events are left from this turn, so that the next [`wait`](Self::wait) must
    /// not block.
    fn has_work(&self) -> bool;

    /// Returns `true` if the kernel already has something to report, so that the next wait will not
    /// sleep.
    fn has_news(&mut self) -> io::Result<bool>;

    /// Performs the turn's kernel entry: submits operations, and sleeps as `wait` permits.
    fn wait(&mut self, wait: Wait) -> io::Result<()>;

    /// Submits at once the operations that would otherwise start with the next wait, because the
    /// rest of this turn is long.
    fn submit(&mut self) -> io::Result<()>;

    /// Reports everything that happened until the end of the last wait.
    fn dispatch(&mut self, sink: &mut dyn Sink);

    /// Closes everything, and waits at most `patience` until the kernel has released the memory.
    fn shutdown(&mut self, patience: Duration);
}

/// Receiver of a driver's reports. Closed connections are never reported.
pub(crate) trait Sink {
    /// Reports a socket that a listener accepted.
    fn accepted(&mut self, listener: usize, socket: OwnedFd);
    /// Reports that a listener cannot accept now, typically for lack of descriptors.
    fn accept_failed(&mut self, listener: usize, error: io::Error);
    /// Reports bytes received; they are valid only during the call.
    fn received(&mut self, conn: ConnId, bytes: &[u8]);
    /// Reports that the peer will send no more or, with an error, that the socket is broken both
    /// ways.
    fn ended(&mut self, conn: ConnId, failure: Option<io::Error>);
    /// Reports that a pending send is complete, and returns its buffer.
    fn sent(&mut self, conn: ConnId, buffer: Vec<u8>);
    /// Reports the outcome of a connect.
    fn connected(&mut self, conn: ConnId, result: io::Result<()>);
}
