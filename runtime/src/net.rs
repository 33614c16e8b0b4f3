//! Sockets before they carry bytes: listening, connecting, and who is at the other end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::address::Address;
use crate::protocol::{Credentials, Peer};

/// The kernel clamps this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address in use is tried for half a second: the kernel closes the listeners of a killed
/// process only when its ring is gone, which was seen to take up to 20 ms after its exit.
const IN_USE_TRIES: u32 = 50;
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// The sockets that listen on one address: one per shard, or a single one.
pub(crate) struct Bound {
    /// The address in use: a port of 0 is replaced by the one the kernel chose.
    pub(crate) address: Address,
    pub(crate) sockets: Vec<Socket>,
    /// Removes a Unix socket's file when the listener is gone.
    pub(crate) file: Option<SocketFile>,
}

/// Listens on `address` with `count` sockets; a Unix address always has a single one.
///
/// `cpus` steers connections to the socket of the CPU they come in on.
pub(crate) fn listen(address: &Address, count: usize, cpus: Option<&[usize]>) -> io::Result<Bound> {
    for _ in 1..IN_USE_TRIES {
        match listen_once(address, count, cpus) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(IN_USE_PAUSE),
            result => return result,
        }
    }
    listen_once(address, count, cpus)
}

fn listen_once(address: &Address, count: usize, cpus: Option<&[usize]>) -> io::Result<Bound> {
    match address {
        Address::Tcp(wanted) => {
            let wanted = SockAddr::from(*wanted);
            let first = bind_first(&wanted, count > 1)?;
            let bound = first.local_addr()?;
            let mut sockets = vec![first];
            for _ in 1..count {
                sockets.push(bind_more(&bound)?);
            }
            for (index, socket) in sockets.iter().enumerate() {
                if let Some(cpu) = cpus.and_then(|cpus| cpus.get(index)) {
                    socket.set_cpu_affinity(*cpu)?;
                }
                socket.listen(BACKLOG)?;
            }
            let address = bound.as_socket().map(Address::Tcp);
            Ok(Bound {
                address: address.ok_or(io::ErrorKind::AddrNotAvailable)?,
                sockets,
                file: None,
            })
        }
        Address::Unix(path) => {
            let (socket, file) = listen_unix(path)?;
            Ok(Bound {
                address: address.clone(),
                sockets: vec![socket],
                file: Some(file),
            })
        }
    }
}

fn tcp_socket(address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    // Small answers must not wait for acknowledgements; accepted sockets inherit this.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Binds the first socket alone, so that a second process on the same port is refused; only
/// then lets further ones of ours in.
fn bind_first(address: &SockAddr, share: bool) -> io::Result<Socket> {
    let socket = tcp_socket(address)?;
    socket.set_reuse_address(true)?;
    socket.bind(address)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    Ok(socket)
}

fn bind_more(address: &SockAddr) -> io::Result<Socket> {
    let socket = tcp_socket(address)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Binds a Unix socket, clearing away the file of a listener that is gone.
fn listen_unix(path: &Path) -> io::Result<(Socket, SocketFile)> {
    let address = SockAddr::unix(path)?;
    if is_stale(path, &address)? {
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    let file = SocketFile::new(path.to_owned())?;
    socket.listen(BACKLOG)?;
    Ok((socket, file))
}

/// Whether `path` is a socket on which nothing answers.
fn is_stale(path: &Path, address: &SockAddr) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            probe.set_nonblocking(true)?;
            let refused = Some(io::ErrorKind::ConnectionRefused);
            Ok(probe.connect(address).err().map(|error| error.kind()) == refused)
        }
        // Anything else is left for bind to complain about.
        _ => Ok(false),
    }
}

/// The file of a Unix listener, removed on drop if it is still the one we made.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        let found = fs::symlink_metadata(&path)?;
        Ok(Self {
            path,
            identity: (found.dev(), found.ino()),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Ok(found) = fs::symlink_metadata(&self.path)
            && self.identity == (found.dev(), found.ino())
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A fresh socket for connecting to `address`.
pub(crate) fn connecting_socket(address: &Address) -> io::Result<(Socket, SockAddr)> {
    match address {
        Address::Tcp(address) => {
            let address = SockAddr::from(*address);
            Ok((tcp_socket(&address)?, address))
        }
        Address::Unix(path) => {
            let address = SockAddr::unix(path)?;
            Ok((Socket::new(Domain::UNIX, Type::STREAM, None)?, address))
        }
    }
}

/// Who is at the other end of a socket that came through `listener`.
pub(crate) fn peer(socket: &OwnedFd, listener: usize) -> Peer {
    let fd = socket.as_fd();
    let named = SockRef::from(&fd);
    let mut peer = Peer::new(named.peer_addr().ok().as_ref().and_then(address_of));
    peer.local = named.local_addr().ok().as_ref().and_then(address_of);
    peer.listener = listener;
    // Only a Unix socket has any, and the question is a system call.
    if !matches!(peer.address, Some(Address::Tcp(_))) {
        let found = getsockopt(socket, PeerCredentials).ok();
        peer.credentials =
            found.map(|found| Credentials::new(found.pid(), found.uid(), found.gid()));
    }
    peer
}

/// The name of one end, as far as it has one.
fn address_of(address: &SockAddr) -> Option<Address> {
    match address.as_socket() {
        Some(address) => Some(Address::Tcp(address)),
        None => Some(Address::Unix(address.as_pathname()?.to_owned())),
    }
}
