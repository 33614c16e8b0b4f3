//! Watch on the mailbox's eventfd.

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::PollAdd;
use io_uring::types::Fd;

use super::{Submission, Tag, Token};

/// Prepares an op that completes whenever the eventfd is written. The eventfd is never read,
/// because every write causes a new completion.
pub(crate) fn prepare(event: BorrowedFd<'_>) -> Submission {
    let entry = PollAdd::new(Fd(event.as_raw_fd()), libc::POLLIN as u32).multi(true);
    // SAFETY: the op names no memory; the mailbox keeps the descriptor open as long as the
    // driver, which holds a reference to it, exists.
    unsafe { Submission::new(entry.build(), Token::numbered(Tag::Wake, 0)) }
}
