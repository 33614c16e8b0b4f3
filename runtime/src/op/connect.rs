//! Connect op.

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::Connect;
use io_uring::types::Fd;
use socket2::SockAddr;

use super::{Submission, Tag, Token};
use crate::slots::ConnId;

/// Connect in progress. Its connection owns it until the completion.
pub(crate) struct ConnectOp {
    /// Address of the peer, boxed so that it stays in place when the connection's slot moves.
    address: Box<SockAddr>,
}

impl ConnectOp {
    pub(crate) fn new(address: SockAddr) -> Self {
        Self {
            address: Box::new(address),
        }
    }

    pub(crate) fn prepare(&self, socket: BorrowedFd<'_>, conn: ConnId) -> Submission {
        let descriptor = Fd(socket.as_raw_fd());
        let entry = Connect::new(descriptor, self.address.as_ptr().cast(), self.address.len());
        // SAFETY: the address is on the heap, owned by this op, which its connection keeps until
        // the completion.
        unsafe { Submission::new(entry.build(), Token::new(Tag::Connect, conn)) }
    }
}
