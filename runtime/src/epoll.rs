//! Engine on epoll, for hosts that refuse io_uring, and as a baseline for comparison.
//!
//! Edge-triggered: every descriptor is registered once, and its readiness is remembered here.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll as EpollFd, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::prctl::set_timerslack;
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::{SockAddr, SockRef, Socket};

use crate::buffer::pool::give_buffer;
use crate::driver::{Driver, Sending, Sink, Wait};
use crate::engine::Engine;
use crate::mailbox::Mailbox;
use crate::op::wait::epoll_wait;
use crate::op::{Tag, Token};
use crate::slots::{ConnId, Slots};
use crate::stats::Counters;

/// Size of the shard's one read buffer, in bytes.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Bytes that one connection may receive in a turn; the rest waits for the next turn.
const TURN_BYTES_MAX: usize = 256 * 1024;
/// Connections that one listener may accept in a turn.
const TURN_ACCEPTS_MAX: usize = 64;
const EVENTS_MAX: usize = 1024;
/// Slack of timed waits, by which the kernel may delay their end to save a wake-up.
const TIMER_SLACK_NS: u64 = 1;

struct Connection {
    socket: OwnedFd,
    /// True if bytes, an end or an error may be waiting; cleared when a read finds nothing.
    readable: bool,
    /// True if receiving is turned on.
    wanted: bool,
    /// True if the connection is in the list of those to read from.
    listed: bool,
    /// True once the peer has ended, so that nothing is left to read.
    ended: bool,
    /// True while connecting: the next event tells the outcome.
    connecting: bool,
    /// Bytes that the kernel has not accepted yet: the buffer, and the offset of the rest.
    rest: Option<(Vec<u8>, usize)>,
}

struct Listener {
    socket: Socket,
    /// True if connections may be waiting; cleared when an accept finds none.
    ready: bool,
    /// True after a failed accept, until the shard tries again.
    paused: bool,
    closing: bool,
}

/// Epoll instance of one shard.
pub(crate) struct Epoll {
    epoll: EpollFd,
    connections: Slots<Connection>,
    listeners: Vec<Option<Listener>>,
    /// Connections to read from in the next dispatch.
    readable: Vec<ConnId>,
    reading: Vec<ConnId>,
    events: Vec<EpollEvent>,
    found: usize,
    scratch: Vec<u8>,
    /// True if a listener has connections waiting or is about to close.
    accepting: bool,
    /// Mailbox, held to keep the watched eventfd open.
    _mailbox: Arc<Mailbox>,
    counters: Rc<Counters>,
}

fn edge(interest: EpollFlags, token: Token) -> EpollEvent {
    EpollEvent::new(interest | EpollFlags::EPOLLET, token.pack())
}

impl Epoll {
    pub(crate) fn new(
        mailbox: Arc<Mailbox>,
        counters: Rc<Counters>,
        seed: u32,
    ) -> io::Result<Self> {
        // The default of 50 µs makes every timed wait late by that; a ring's waits have no slack.
        let _ = set_timerslack(TIMER_SLACK_NS);
        let epoll = EpollFd::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        // Never read: with an edge trigger every write to the eventfd wakes anew.
        let wake = edge(EpollFlags::EPOLLIN, Token::numbered(Tag::Wake, 0));
        epoll.add(mailbox.as_fd(), wake)?;
        Ok(Self {
            epoll,
            connections: Slots::new(seed),
            listeners: Vec::new(),
            readable: Vec::new(),
            reading: Vec::new(),
            events: vec![EpollEvent::empty(); EVENTS_MAX],
            found: 0,
            scratch: vec![0; SCRATCH_BYTES],
            accepting: false,
            _mailbox: mailbox,
            counters,
        })
    }

    fn add(&mut self, connection: Connection) -> io::Result<ConnId> {
        let id = self.connections.insert(connection);
        let Some(connection) = self.connections.find(id) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP;
        let event = edge(interest, Token::new(Tag::Receive, id));
        if let Err(errno) = self.epoll.add(&connection.socket, event) {
            self.connections.remove(id);
            return Err(errno.into());
        }
        Ok(id)
    }

    /// Lists a connection for reading if it may have bytes and receiving is turned on.
    fn list(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id)
            && connection.readable
            && connection.wanted
            && !connection.ended
            && !std::mem::replace(&mut connection.listed, true)
        {
            self.readable.push(id);
        }
    }

    fn on_event(&mut self, event: EpollEvent, sink: &mut dyn Sink) {
        let Some(token) = Token::unpack(event.data()) else {
            return;
        };
        match token.tag {
            Tag::Accept => {
                let slot = token.conn.slot as usize;
                if let Some(Some(listener)) = self.listeners.get_mut(slot) {
                    listener.ready = true;
                    self.accepting |= !listener.paused;
                }
            }
            Tag::Receive => self.on_ready(token.conn, event.events(), sink),
            _ => {}
        }
    }

    fn on_ready(&mut self, id: ConnId, ready: EpollFlags, sink: &mut dyn Sink) {
        let broken = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        if connection.connecting {
            connection.connecting = false;
            let result = match SockRef::from(&connection.socket).take_error() {
                Ok(None) => Ok(()),
                Ok(Some(error)) | Err(error) => Err(error),
            };
            sink.connected(id, result);
        }
        if ready.intersects(EpollFlags::EPOLLOUT | broken) {
            self.continue_send(id, sink);
        }
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | broken) {
            if let Some(connection) = self.connections.find(id) {
                connection.readable = true;
            }
            self.list(id);
        }
    }

    fn continue_send(&mut self, id: ConnId, sink: &mut dyn Sink) {
        let Some(connection) = self.connections.find(id) else {
            return;
        };
        let Some((buffer, mut sent)) = connection.rest.take() else {
            return;
        };
        self.counters.submissions.increment();
        match send_some(connection.socket.as_fd(), &buffer, &mut sent) {
            Ok(()) if sent == buffer.len() => sink.sent(id, buffer),
            Ok(()) => connection.rest = Some((buffer, sent)),
            Err(error) => {
                give_buffer(buffer);
                sink.ended(id, Some(error));
            }
        }
    }

    /// Reads until nothing is left or the connection has had its share of the turn.
    fn read(&mut self, id: ConnId, sink: &mut dyn Sink) {
        let mut taken = 0;
        while taken < TURN_BYTES_MAX {
            let Some(connection) = self.connections.find(id) else {
                return;
            };
            connection.listed = false;
            if !connection.wanted || connection.ended {
                return;
            }
            self.counters.submissions.increment();
            let flags = MsgFlags::MSG_DONTWAIT;
            match recv(connection.socket.as_raw_fd(), &mut self.scratch, flags) {
                Ok(0) => {
                    connection.ended = true;
                    return sink.ended(id, None);
                }
                Ok(len) => {
                    taken += len;
                    self.counters.receives.increment();
                    self.counters.received_bytes.add(len as u64);
                    sink.received(id, &self.scratch[..len]);
                }
                Err(Errno::EAGAIN) => {
                    connection.readable = false;
                    return;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    connection.ended = true;
                    return sink.ended(id, Some(errno.into()));
                }
            }
        }
        self.list(id);
    }

    fn accept_all(&mut self, sink: &mut dyn Sink) {
        self.accepting = false;
        for index in 0..self.listeners.len() {
            if let Some(listener) = &mut self.listeners[index]
                && (listener.ready && !listener.paused || listener.closing)
            {
                let done = accept_some(index, listener, sink, &self.counters);
                if listener.closing && done {
                    self.listeners[index] = None;
                } else {
                    self.accepting |= !done;
                }
            }
        }
    }
}

/// Accepts a turn's share. Returns `true` if there is nothing more to accept for now.
fn accept_some(
    index: usize,
    listener: &mut Listener,
    sink: &mut dyn Sink,
    counters: &Counters,
) -> bool {
    for _ in 0..TURN_ACCEPTS_MAX {
        counters.submissions.increment();
        match listener.socket.accept() {
            Ok((socket, _)) => sink.accepted(index, socket.into()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
                Some(libc::EAGAIN) => {
                    listener.ready = false;
                    return true;
                }
                _ => {
                    listener.ready = false;
                    listener.paused = true;
                    if !listener.closing {
                        sink.accept_failed(index, error);
                    }
                    return true;
                }
            },
        }
    }
    false
}

/// Sends until all bytes are sent or the socket accepts no more, and advances `sent`.
fn send_some(socket: BorrowedFd<'_>, buffer: &[u8], sent: &mut usize) -> io::Result<()> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    while *sent < buffer.len() {
        match send(socket.as_raw_fd(), &buffer[*sent..], flags) {
            Ok(len) => *sent += len,
            Err(Errno::EAGAIN) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

impl Driver for Epoll {
    fn engine(&self) -> Engine {
        Engine::Epoll
    }

    fn listen(&mut self, index: usize, socket: Socket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let token = Token::numbered(Tag::Accept, index as u32);
        self.epoll.add(&socket, edge(EpollFlags::EPOLLIN, token))?;
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, || None);
        }
        self.listeners[index] = Some(Listener {
            socket,
            ready: false,
            paused: false,
            closing: false,
        });
        Ok(())
    }

    fn retry_accept(&mut self, index: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(index) {
            listener.ready = true;
            listener.paused = false;
            self.accepting = true;
        }
    }

    fn stop_listening(&mut self) {
        for listener in self.listeners.iter_mut().flatten() {
            listener.closing = true;
            self.accepting = true;
        }
    }

    fn is_listening(&self) -> bool {
        self.listeners.iter().any(Option::is_some)
    }

    fn adopt(&mut self, socket: OwnedFd) -> io::Result<ConnId> {
        self.add(Connection {
            socket,
            readable: false,
            wanted: false,
            listed: false,
            ended: false,
            connecting: false,
            rest: None,
        })
    }

    fn connect(&mut self, socket: Socket, address: SockAddr) -> io::Result<ConnId> {
        socket.set_nonblocking(true)?;
        self.counters.submissions.increment();
        match socket.connect(&address) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        self.add(Connection {
            socket: socket.into(),
            readable: false,
            wanted: false,
            listed: false,
            ended: false,
            connecting: true,
            rest: None,
        })
    }

    fn receive(&mut self, id: ConnId, on: bool) {
        if let Some(connection) = self.connections.find(id) {
            connection.wanted = on;
        }
        self.list(id);
    }

    fn send(&mut self, id: ConnId, buffer: Vec<u8>) -> Sending {
        let Some(connection) = self.connections.find(id) else {
            return Sending::Failed(io::ErrorKind::NotConnected.into());
        };
        assert!(connection.rest.is_none(), "one send in flight at a time");
        self.counters.submissions.increment();
        let mut sent = 0;
        match send_some(connection.socket.as_fd(), &buffer, &mut sent) {
            Ok(()) if sent == buffer.len() => Sending::Done(buffer),
            Ok(()) => {
                connection.rest = Some((buffer, sent));
                Sending::Pending
            }
            Err(error) => {
                give_buffer(buffer);
                Sending::Failed(error)
            }
        }
    }

    fn hasten(&mut self, _id: ConnId) {
        // What is sent at once was reported at once.
    }

    fn shut_write(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.find(id) {
            // Fails only when the peer has gone already, which a read will tell.
            let _ = SockRef::from(&connection.socket).shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self, id: ConnId) {
        // Closing the only descriptor of a socket takes it out of the epoll instance as well.
        if let Some(connection) = self.connections.remove(id)
            && let Some((buffer, _)) = connection.rest
        {
            give_buffer(buffer);
        }
    }

    fn has_work(&self) -> bool {
        !self.readable.is_empty() || self.accepting
    }

    fn has_news(&mut self) -> io::Result<bool> {
        if !self.has_work() && self.found == 0 {
            self.wait(Wait::Poll)?;
        }
        Ok(self.has_work() || self.found > 0)
    }

    fn wait(&mut self, wait: Wait) -> io::Result<()> {
        if self.found > 0 {
            // What a look ahead has found is to be dealt with first.
            return Ok(());
        }
        let timeout = match wait {
            Wait::Poll => Some(Duration::ZERO),
            Wait::Several(_, span) => {
                // An epoll instance wakes for the first event, so nobody is asked before.
                thread::sleep(span);
                Some(Duration::ZERO)
            }
            Wait::AtMost(span) => Some(span),
            Wait::Forever => None,
        };
        self.counters.enters.increment();
        match epoll_wait(self.epoll.0.as_fd(), &mut self.events, timeout) {
            Ok(found) => self.found = found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn submit(&mut self) -> io::Result<()> {
        // Sends do not wait for a kernel entry here.
        Ok(())
    }

    fn dispatch(&mut self, sink: &mut dyn Sink) {
        self.counters.completions.add(self.found as u64);
        for index in 0..std::mem::take(&mut self.found) {
            self.on_event(self.events[index], sink);
        }
        if self.accepting {
            self.accept_all(sink);
        }
        std::mem::swap(&mut self.readable, &mut self.reading);
        for index in 0..self.reading.len() {
            self.read(self.reading[index], sink);
        }
        self.reading.clear();
    }

    fn shutdown(&mut self, _patience: Duration) {
        self.listeners.clear();
        self.connections.drain().for_each(drop);
    }
}
