//! Multishot accept: one submission, and a completion per connection.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use io_uring::opcode::AcceptMulti;
use io_uring::types::Fd;

use super::{Completion, Submission, Tag, Token};

/// Prepares an accept on `listener` that lasts until cancelled.
pub(crate) fn prepare(listener: BorrowedFd<'_>, index: usize) -> Submission {
    let entry = AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
    // SAFETY: the op names no memory. The descriptor belongs to the driver's listener, which
    // keeps it open until the op's last completion.
    unsafe { Submission::new(entry.build(), token(index)) }
}

pub(crate) fn token(index: usize) -> Token {
    Token::numbered(Tag::Accept, index as u32)
}

/// Returns the accepted socket.
pub(crate) fn complete(completion: &Completion) -> io::Result<OwnedFd> {
    let descriptor = completion.outcome()? as i32;
    // SAFETY: the kernel opened this descriptor for this completion and named it nowhere else;
    // from here on the value owns it. The caller hands each completion in once.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
