//! Interface between a socket and the protocol that runs on it.
//!
//! The pump in `socket.rs` drives a [`Protocol`] and nothing else: bytes go in as arguments, bytes
//! come out in a buffer, time is passed in, and the next wake-up is a return value.

use std::marker::PhantomData;
use std::time::Duration;

use crate::address::Address;
use crate::context;
use crate::slots::ConnId;

/// Input from a socket to its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Bytes from the peer, valid only during the call: copy what must be kept.
    Bytes(&'a [u8]),
    /// The peer half-closed or the socket failed. Sent at most once, and last.
    End,
}

/// Fate of a socket after a [`Protocol::transmit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Keep the socket open.
    Open,
    /// Send what was transmitted, then close the socket. `transmit` is not called again.
    Close,
}

/// Protocol on a socket, driven by the runtime. None of its methods does I/O.
///
/// A panic in any of them closes this socket and no other.
pub trait Protocol {
    /// Takes all of `input`.
    ///
    /// Never fails: a protocol that receives invalid input records its end, transmits its last
    /// bytes and returns [`Flow::Close`].
    fn receive(&mut self, now: Duration, input: Input<'_>);

    /// Advances time: called when the deadline has passed, or [`SocketHandle::touch`] was called.
    fn advance(&mut self, now: Duration);

    /// Appends output to `out`; may swap in its own buffer while `out` is empty.
    ///
    /// Called once per turn if anything happened, and only while no send is in flight: otherwise it
    /// is called when the send is complete. A protocol that leaves output for later touches its
    /// [`SocketHandle`], or appends at least 64 KiB.
    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow;

    /// Returns the moment at which [`advance`](Self::advance) must be called next, on the clock of
    /// [`now`](crate::now).
    fn deadline(&self) -> Option<Duration>;

    /// Returns `true` if more input may be passed in while a send is in flight. A protocol that
    /// would only write more output for it returns `false`, and receiving pauses until that send is
    /// complete.
    fn wants_input(&self) -> bool {
        true
    }

    /// Returns `true` while input waits for a later turn, because answering all of it would be too
    /// much for one turn. Receiving pauses until that input is processed. The
    /// [`deadline`](Self::deadline) is then the moment of this turn, so that the next turn begins
    /// at once and calls `advance`.
    fn has_backlog(&self) -> bool {
        false
    }

    /// Starts a graceful shutdown: finish what is open, then return [`Flow::Close`].
    fn drain(&mut self, _now: Duration) {}

    /// Ends at once what is still open, because the time of the graceful shutdown is over. One last
    /// [`transmit`](Self::transmit) follows, whose result is treated as [`Flow::Close`].
    fn cut(&mut self, _now: Duration) {}
}

/// Peer of an accepted connection, with the listener that accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Peer's address; `None` for a Unix socket without a name, as most clients' are.
    pub address: Option<Address>,
    /// Local address of the connection.
    pub local: Option<Address>,
    /// Process that opened the other end of a Unix socket; `None` on TCP.
    pub credentials: Option<Credentials>,
    /// Index of the listener in [`Running::addresses`](crate::Running::addresses).
    pub listener: usize,
}

impl Peer {
    /// Creates a peer at `address`, accepted by the first listener; for tests and simulators.
    pub fn new(address: Option<Address>) -> Self {
        Self {
            address,
            local: None,
            credentials: None,
            listener: 0,
        }
    }
}

/// Process at the other end of a Unix socket, as the kernel recorded it when the socket connected
/// (SO_PEERCRED in unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// Process id. The process may have ended, and its id may belong to another one by now.
    pub pid: i32,
    /// Effective user id of the process.
    pub uid: u32,
    /// Effective group id of the process.
    pub gid: u32,
}

impl Credentials {
    /// Creates credentials; for tests and simulators.
    pub fn new(pid: i32, uid: u32, gid: u32) -> Self {
        Self { pid, uid, gid }
    }
}

/// Factory that makes the protocol of every accepted socket. There is one value per shard, so it
/// needs no lock.
pub trait Accept {
    /// Returns the protocol to run on a newly accepted socket.
    fn accept(&mut self, peer: Peer, socket: SocketHandle) -> Box<dyn Protocol>;
}

impl<F> Accept for F
where
    F: FnMut(Peer, SocketHandle) -> Box<dyn Protocol>,
{
    fn accept(&mut self, peer: Peer, socket: SocketHandle) -> Box<dyn Protocol> {
        self(peer, socket)
    }
}

/// Handle by which a protocol reaches its own socket: a small number, free to copy, bound to its
/// shard.
///
/// Once the socket is closed, every method does nothing, even if its slot is used by another
/// socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketHandle {
    conn: ConnId,
    not_send: PhantomData<*const ()>,
}

impl SocketHandle {
    pub(crate) fn new(conn: ConnId) -> Self {
        Self {
            conn,
            not_send: PhantomData,
        }
    }

    /// Creates a handle of no socket, for tests and simulators: its methods do nothing.
    pub fn detached() -> Self {
        Self::new(ConnId::DETACHED)
    }

    /// Requests `advance` and then `transmit` in this turn. Works from any task on the shard.
    pub fn touch(&self) {
        context::try_with(|context| context.dirty.touch(self.conn));
    }

    /// Closes the socket after one last `transmit`, as if that had returned [`Flow::Close`].
    pub fn close(&self) {
        context::try_with(|context| context.dirty.ask_close(self.conn));
    }
}
