//! The seam: all that a socket knows of what runs on it.
//!
//! The pump in `socket.rs` drives a [`Protocol`] and nothing else: bytes go in as arguments,
//! bytes come out in a buffer, time is passed in, and the next wake-up is a return value.

use std::marker::PhantomData;
use std::time::Duration;

use crate::address::Address;
use crate::context;
use crate::slots::ConnId;

/// What a socket hands to its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Bytes from the peer, valid only during the call: what must last is copied.
    Bytes(&'a [u8]),
    /// The peer half-closed or the socket failed. Comes at most once, and last.
    End,
}

/// Whether a socket lives on after a [`Protocol::transmit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Open,
    /// Send what was transmitted, then close the socket. `transmit` is not called again.
    Close,
}

/// What runs on a socket: four methods the pump calls, none of which does I/O.
///
/// A panic in any of them closes this socket and no other.
pub trait Protocol {
    /// Takes all of `input`.
    ///
    /// Never fails: a protocol that meets nonsense notes its own end, transmits its last words
    /// and answers [`Flow::Close`].
    fn receive(&mut self, now: Duration, input: Input<'_>);

    /// Time passed: the deadline is due, or [`SocketHandle::touch`] was called.
    fn advance(&mut self, now: Duration);

    /// Appends what is to be sent to `out`; may swap its own buffer in while `out` is empty.
    ///
    /// Called once per turn after anything happened, and only while no send is in flight: what
    /// happens meanwhile is asked for when it is complete. A protocol that leaves output behind
    /// touches its [`SocketHandle`], or appends at least 64 KiB.
    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow;

    /// When [`advance`](Self::advance) must be called next, on the clock of [`now`](crate::now).
    fn deadline(&self) -> Option<Duration>;

    /// Whether more input is welcome while a send is in flight. A protocol that would only write
    /// more output for it says no, and receiving pauses until that send is complete.
    fn wants_input(&self) -> bool {
        true
    }

    /// Whether input still waits for a later turn, since answering all of it would be too much for
    /// one: receiving pauses until it is dealt with. The moment of this turn is then the
    /// [`deadline`](Self::deadline), so that the next turn begins at once and advances.
    fn has_backlog(&self) -> bool {
        false
    }

    /// A graceful shutdown was asked for: finish what is open, then answer [`Flow::Close`].
    fn drain(&mut self, _now: Duration) {}

    /// The time for that is over: end at once what is still open. One last
    /// [`transmit`](Self::transmit) follows, whose answer is taken for [`Flow::Close`].
    fn cut(&mut self, _now: Duration) {}
}

/// Who connected, and through which door.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The peer's address; `None` for a Unix socket without a name, as most clients' are.
    pub address: Option<Address>,
    /// This end's address, which the peer has reached us at.
    pub local: Option<Address>,
    /// Who opened the other end of a Unix socket; `None` on TCP.
    pub credentials: Option<Credentials>,
    /// Which listener: an index into [`Running::addresses`](crate::Running::addresses).
    pub listener: usize,
}

impl Peer {
    /// A peer at `address`, come through the first listener; for tests and simulators.
    pub fn new(address: Option<Address>) -> Self {
        Self {
            address,
            local: None,
            credentials: None,
            listener: 0,
        }
    }
}

/// The process at the other end of a Unix socket, as the kernel noted it when that connected
/// (SO_PEERCRED in unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The process. By now its number may belong to another one.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl Credentials {
    /// These credentials; for tests and simulators.
    pub fn new(pid: i32, uid: u32, gid: u32) -> Self {
        Self { pid, uid, gid }
    }
}

/// Gives every accepted socket its protocol. One value per shard, so it needs no lock.
pub trait Accept {
    /// A socket was accepted: answers what shall run on it.
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

/// A protocol's way to reach its own socket: a small number, free to copy, bound to its shard.
///
/// Once the socket is closed every method is a no-op, also when its place was taken by another.
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

    /// A handle of no socket, for tests and simulators: its methods do nothing.
    pub fn detached() -> Self {
        Self::new(ConnId::DETACHED)
    }

    /// Asks for `advance` and then `transmit` in this turn. Works from any task on the shard.
    pub fn touch(&self) {
        context::try_with(|context| context.dirty.touch(self.conn));
    }

    /// Closes the socket after one last `transmit`, as if the protocol had answered
    /// [`Flow::Close`] to it.
    pub fn close(&self) {
        context::try_with(|context| context.dirty.ask_close(self.conn));
    }
}
