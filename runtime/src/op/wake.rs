//! The watch on the mailbox's eventfd.

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::PollAdd;
use io_uring::types::Fd;

use super::{Submission, Tag, Token};

/// Completes whenever the eventfd is written; it is never read, as every write wakes anew.
pub(crate) fn prepare(event: BorrowedFd<'_>) -> Submission {
    let entry = PollAdd::new(Fd(event.as_raw_fd()), libc::POLLIN as u32).multi(true);
    // SAFETY: the op names no memory; the mailbox keeps the descriptor open as long as the
    // driver, which holds a reference to it, exists.
    unsafe { Submission::new(entry.build(), Token::numbered(Tag::Wake, 0)) }
}
