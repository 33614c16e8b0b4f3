//! Outgoing connections: a future for tasks, and the requests that it sends to the shard's loop.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use socket2::{SockAddr, Socket};

use crate::address::Address;
use crate::context;
use crate::net;
use crate::protocol::{Protocol, SocketHandle};
use crate::sleep::sleep;
use crate::slots::ConnId;

/// Number of attempts on a full Unix listen queue, with pauses that add up to about one second.
const BUSY_TRIES: u32 = 100;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Request of a task to the shard's loop, which alone owns the driver.
pub(crate) enum Request {
    /// Start to connect.
    Connect {
        socket: Socket,
        address: SockAddr,
        ticket: Rc<Ticket>,
    },
    /// Run a protocol on a connected socket.
    Install {
        conn: ConnId,
        protocol: Box<dyn Protocol>,
    },
    /// Close a socket whose connecting future was dropped.
    Abandon(Rc<Ticket>),
}

/// Slot for the outcome of a connect, filled by the loop.
#[derive(Default)]
pub(crate) struct Ticket {
    conn: Cell<Option<ConnId>>,
    result: RefCell<Option<io::Result<ConnId>>>,
    waker: Cell<Option<Waker>>,
}

impl Ticket {
    /// Records that the connect is in progress as `conn`.
    pub(crate) fn begin(&self, conn: ConnId) {
        self.conn.set(Some(conn));
    }

    /// Returns the connection that this ticket waits for, once begun.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        self.conn.get()
    }

    /// Records the outcome of the connect.
    pub(crate) fn finish(&self, result: io::Result<ConnId>) {
        *self.result.borrow_mut() = Some(result);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Guard that closes the socket if the connecting future is dropped before it has installed a
/// protocol.
struct Waiting {
    ticket: Rc<Ticket>,
    settled: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.settled {
            request(Request::Abandon(self.ticket.clone()));
        }
    }
}

fn request(request: Request) {
    context::try_with(|context| context.requests.borrow_mut().push(request));
}

/// Connects to `address`, and runs on the socket the protocol that `make` makes from its handle.
///
/// Dropping the future gives the attempt up.
///
/// # Errors
///
/// The kernel's, with the address in the text.
///
/// # Panics
///
/// Outside a shard.
pub async fn connect(
    address: &Address,
    make: impl FnOnce(SocketHandle) -> Box<dyn Protocol>,
) -> io::Result<SocketHandle> {
    let mut tries = 0;
    let conn = loop {
        match connect_once(address).await {
            // A Unix listener whose queue is full says so at once instead of letting us wait.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < BUSY_TRIES => {
                tries += 1;
                sleep(BUSY_PAUSE).await;
            }
            Err(error) => {
                let text = format!("failed to connect to {address}: {error}");
                return Err(io::Error::new(error.kind(), text));
            }
            Ok(waiting) => break waiting,
        }
    };
    let (conn, mut waiting) = conn;
    let handle = SocketHandle::new(conn);
    let protocol = make(handle);
    waiting.settled = true;
    request(Request::Install { conn, protocol });
    Ok(handle)
}

async fn connect_once(address: &Address) -> io::Result<(ConnId, Waiting)> {
    let (socket, address) = net::connecting_socket(address)?;
    let ticket = Rc::<Ticket>::default();
    context::with(|context| {
        context.requests.borrow_mut().push(Request::Connect {
            socket,
            address,
            ticket: ticket.clone(),
        });
    });
    let mut waiting = Waiting {
        ticket: ticket.clone(),
        settled: false,
    };
    let result = poll_fn(|cx| match ticket.result.borrow_mut().take() {
        Some(result) => Poll::Ready(result),
        None => {
            ticket.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        }
    })
    .await;
    // A failed connect has no socket left to give up.
    waiting.settled = result.is_err();
    result.map(|conn| (conn, waiting))
}
