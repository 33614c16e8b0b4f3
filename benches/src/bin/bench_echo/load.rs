//! Client with plain epoll and blocking sockets, so that our code does not measure itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use core_affinity::CoreId;
use corespun_benches::AnyError;
use corespun_runtime::{Address, now};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

/// Largest number of ready connections that one call returns.
const EVENTS_MAX: usize = 256;
/// Longest single wait in ms, so that a silent server cannot exceed the run time.
const WAIT_MS: u16 = 100;

/// Load to generate: message, target and duration.
pub(crate) struct Load {
    pub(crate) address: Address,
    pub(crate) connections: usize,
    pub(crate) message_bytes: usize,
    pub(crate) duration: Duration,
    pub(crate) cpu: Option<usize>,
}

/// Result of a run.
pub(crate) struct Report {
    /// Messages that were echoed complete and equal.
    pub(crate) echoes: u64,
    /// Time from the first message sent to the last clock reading.
    pub(crate) elapsed: Duration,
}

impl Load {
    /// Runs the load on the calling thread.
    ///
    /// # Errors
    ///
    /// A connection cannot be made, is closed, or returns other bytes.
    pub(crate) fn run(&self) -> Result<Report, AnyError> {
        if let Some(id) = self.cpu
            && !core_affinity::set_for_current(CoreId { id })
        {
            return Err(format!("failed to pin the client to CPU {id}").into());
        }
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let message: Vec<u8> = (0..self.message_bytes).map(|at| at as u8).collect();
        let mut connections = Vec::new();
        for index in 0..self.connections {
            let connection = Connection::open(&self.address)?;
            let interest = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
            poll.add(&connection.socket, interest)?;
            connections.push(connection);
        }
        drive(&poll, &mut connections, &message, self.duration)
    }
}

fn drive(
    poll: &Epoll,
    connections: &mut [Connection],
    message: &[u8],
    duration: Duration,
) -> Result<Report, AnyError> {
    let start = now();
    for connection in &mut *connections {
        connection.socket.write_all(message)?;
    }
    let mut events = [EpollEvent::empty(); EVENTS_MAX];
    let mut buffer = vec![0; message.len()];
    let mut echoes = 0;
    loop {
        let ready = match poll.wait(&mut events, WAIT_MS) {
            Err(Errno::EINTR) => 0,
            ready => ready?,
        };
        for event in &events[..ready] {
            let connection = &mut connections[event.data() as usize];
            if connection.take(message, &mut buffer)? {
                echoes += 1;
                connection.socket.write_all(message)?;
            }
        }
        let elapsed = now() - start;
        if elapsed >= duration {
            return Ok(Report { echoes, elapsed });
        }
    }
}

/// Connection with one message in flight.
struct Connection {
    socket: Socket,
    /// Bytes of the message that were echoed.
    returned: usize,
}

impl Connection {
    fn open(address: &Address) -> Result<Self, AnyError> {
        let socket = Socket::connect(address)
            .map_err(|error| format!("failed to connect to {address}: {error}"))?;
        Ok(Self {
            socket,
            returned: 0,
        })
    }

    /// Reads once; returns true when the whole message was echoed.
    fn take(&mut self, message: &[u8], buffer: &mut [u8]) -> Result<bool, AnyError> {
        let missing = &message[self.returned..];
        let count = self.socket.read(&mut buffer[..missing.len()])?;
        if count == 0 {
            return Err("failed to read an echo: the server closed the connection".into());
        }
        if buffer[..count] != missing[..count] {
            return Err("failed to read an echo: other bytes came back than were sent".into());
        }
        self.returned = (self.returned + count) % message.len();
        Ok(self.returned == 0)
    }
}

/// Blocking socket, read only when epoll reports it.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let socket = TcpStream::connect(address)?;
                socket.set_nodelay(true)?;
                Ok(Self::Tcp(socket))
            }
            Address::Unix(path) => UnixStream::connect(path).map(Self::Unix),
            Address::Abstract(name) => {
                let name = SocketAddr::from_abstract_name(name)?;
                UnixStream::connect_addr(&name).map(Self::Unix)
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(buffer),
            Self::Unix(socket) => socket.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
