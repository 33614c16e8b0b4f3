//! Multishot receive into buffers that the kernel picks from the provided ring.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::RecvMulti;
use io_uring::types::Fd;

use super::{Completion, Submission, Tag, Token, is_transient};
use crate::slots::ConnId;

/// Buffer group of a shard, which has only one.
pub(crate) const GROUP: u16 = 0;

/// Prepares a receive on `socket` that lasts until it ends, fails, is cancelled, or the buffers run
/// out.
pub(crate) fn prepare(socket: BorrowedFd<'_>, conn: ConnId) -> Submission {
    let entry = RecvMulti::new(Fd(socket.as_raw_fd()), GROUP);
    // SAFETY: the op names no memory of its own. Its buffers are those of the provided ring,
    // which the driver keeps until every op has completed; the descriptor belongs to the
    // connection, which stays open until its last completion.
    unsafe { Submission::new(entry.build(), Token::new(Tag::Receive, conn)) }
}

/// Result of a receive completion.
pub(crate) enum Received {
    /// Number of bytes received, and the buffer that holds them.
    Bytes { buffer: u16, len: usize },
    /// The peer will send no more.
    End,
    /// No buffer was free: submit again once buffers are returned.
    Starved,
    /// The op was cancelled or interrupted: submit again if receiving is still turned on.
    Stopped,
    /// The socket is broken.
    Failed(io::Error),
}

pub(crate) fn complete(completion: &Completion) -> Received {
    match completion.outcome() {
        Ok(0) => Received::End,
        Ok(len) => match io_uring::cqueue::buffer_select(completion.flags) {
            Some(buffer) => Received::Bytes {
                buffer,
                len: len as usize,
            },
            None => Received::Failed(io::ErrorKind::InvalidData.into()),
        },
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOBUFS) => Received::Starved,
            Some(libc::ECANCELED) => Received::Stopped,
            _ if is_transient(&error) => Received::Stopped,
            _ => Received::Failed(error),
        },
    }
}
