//! Set-up of sockets: listening, connecting, and the address of the peer.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::address::Address;
use crate::protocol::{Credentials, Peer};

/// Length of the listen queue; the kernel limits it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Number of attempts on an address in use, over half a second: the kernel closes the listeners of
/// a killed process only when its ring is gone, up to 20 ms after its exit as measured.
const IN_USE_TRIES: u32 = 50;
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// Sockets that listen on one address: one per shard, or a single one.
pub(crate) struct Bound {
    /// Address in use; a port of 0 is replaced by the port that the kernel chose.
    pub(crate) address: Address,
    pub(crate) sockets: Vec<Socket>,
    /// File of a Unix socket, removed when the listener is gone.
    pub(crate) file: Option<SocketFile>,
}

/// Settings of the sockets of one address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Number of sockets; a Unix address always has a single one.
    pub(crate) count: usize,
    /// For each socket, the CPU whose incoming connections go to it.
    pub(crate) steer: &'a [Option<usize>],
    /// True to leave IPv4 connections to another listener on the same port.
    pub(crate) only_v6: bool,
}

/// Listens on `address`. `[::]` also accepts IPv4 connections; on a machine without IPv6 it means
/// `0.0.0.0`.
pub(crate) fn listen(address: &Address, manner: Manner<'_>) -> io::Result<Bound> {
    for _ in 1..IN_USE_TRIES {
        match listen_once(address, manner) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(IN_USE_PAUSE),
            result => return result,
        }
    }
    listen_once(address, manner)
}

fn listen_once(address: &Address, manner: Manner<'_>) -> io::Result<Bound> {
    match address {
        Address::Tcp(wanted) => match listen_tcp(*wanted, manner) {
            Err(error) if is_any_v6(wanted) && !manner.only_v6 && is_without_v6(&error) => {
                tracing::warn!(%error, "this machine has no IPv6: listening on IPv4 alone");
                listen_tcp((Ipv4Addr::UNSPECIFIED, wanted.port()).into(), manner)
            }
            result => result,
        },
        Address::Unix(path) => {
            let (socket, file) = listen_unix(path)?;
            Ok(Bound {
                address: address.clone(),
                sockets: vec![socket],
                file: Some(file),
            })
        }
        Address::Abstract(name) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&abstract_address(name)?)?;
            socket.listen(BACKLOG)?;
            Ok(Bound {
                address: address.clone(),
                sockets: vec![socket],
                file: None,
            })
        }
    }
}

fn listen_tcp(wanted: SocketAddr, manner: Manner<'_>) -> io::Result<Bound> {
    let only_v6 = is_any_v6(&wanted).then_some(manner.only_v6);
    let wanted = SockAddr::from(wanted);
    let first = bind_first(&wanted, only_v6, manner.count > 1)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..manner.count {
        sockets.push(bind_more(&bound, only_v6)?);
    }
    for (index, socket) in sockets.iter().enumerate() {
        if let Some(Some(cpu)) = manner.steer.get(index) {
            // Only for speed: without it any of the sockets gets a connection.
            let _ = socket.set_cpu_affinity(*cpu);
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

fn is_any_v6(address: &SocketAddr) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

/// Returns `true` if an error means that IPv6 is missing or turned off.
fn is_without_v6(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

/// Returns an abstract name in the form of system calls: a path after a zero byte.
fn abstract_address(name: &[u8]) -> io::Result<SockAddr> {
    let path = [b"\0", name].concat();
    SockAddr::unix(OsStr::from_bytes(&path))
}

fn tcp_socket(address: &SockAddr, only_v6: Option<bool>) -> io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    // Small answers must not wait for acknowledgements; accepted sockets inherit this. It is only
    // for speed, so that a sandbox may refuse it.
    let _ = socket.set_tcp_nodelay(true);
    if let Some(only_v6) = only_v6 {
        socket.set_only_v6(only_v6)?;
    }
    Ok(socket)
}

/// Binds the first socket alone, so that a second process on the same port is refused, and then
/// allows further sockets of this process.
fn bind_first(address: &SockAddr, only_v6: Option<bool>, share: bool) -> io::Result<Socket> {
    let socket = tcp_socket(address, only_v6)?;
    socket.set_reuse_address(true)?;
    socket.bind(address)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    Ok(socket)
}

fn bind_more(address: &SockAddr, only_v6: Option<bool>) -> io::Result<Socket> {
    let socket = tcp_socket(address, only_v6)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Binds a Unix socket, after removing the file of a listener that is gone.
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

/// Returns `true` if `path` is a socket on which no process listens.
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

/// File of a Unix listener, removed on drop if it is still the one that this process made.
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

/// Returns a new socket for connecting to `address`.
pub(crate) fn connecting_socket(address: &Address) -> io::Result<(Socket, SockAddr)> {
    match address {
        Address::Tcp(address) => {
            let address = SockAddr::from(*address);
            Ok((tcp_socket(&address, None)?, address))
        }
        Address::Unix(path) => {
            let address = SockAddr::unix(path)?;
            Ok((Socket::new(Domain::UNIX, Type::STREAM, None)?, address))
        }
        Address::Abstract(name) => {
            let address = abstract_address(name)?;
            Ok((Socket::new(Domain::UNIX, Type::STREAM, None)?, address))
        }
    }
}

/// Returns the peer of a socket that came through `listener`.
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

/// Returns the address of one end, if it has one.
fn address_of(address: &SockAddr) -> Option<Address> {
    if let Some(address) = address.as_socket() {
        return Some(Address::Tcp(address));
    }
    if let Some(name) = address.as_abstract_namespace() {
        return Some(Address::Abstract(name.to_vec()));
    }
    Some(Address::Unix(address.as_pathname()?.to_owned()))
}
