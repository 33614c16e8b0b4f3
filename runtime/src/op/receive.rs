//! Multishot receive into buffers that the kernel picks from the provided ring.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::RecvMulti;
use io_uring::types::Fd;

use super::{Completion, Submission, Tag, Token, is_transient};
use crate::slots::ConnId;

/// The one buffer group of a shard.
pub(crate) const GROUP: u16 = 0;

/// Receives on `socket` until it ends, fails, is cancelled, or the buffers run out.
pub(crate) fn prepare(socket: BorrowedFd<'_>, conn: ConnId) -> Submission {
    let entry = RecvMulti::new(Fd(socket.as_raw_fd()), GROUP);
    // SAFETY: the op names no memory of its own. Its buffers are those of the provided ring,
    // which the driver keeps until every op has completed; the descriptor belongs to the
    // connection, which stays open until its last completion.
    unsafe { Submission::new(entry.build(), Token::new(Tag::Receive, conn)) }
}

/// What a completion says.
pub(crate) enum Received {
    /// This many bytes, in this buffer.
    Bytes { buffer: u16, len: usize },
    /// The peer will send no more.
    End,
    /// No buffer was free: receive again when some are back.
    Starved,
    /// Cancelled or interrupted: receive again if still wanted.
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
