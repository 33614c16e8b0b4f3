//! Send of a whole buffer, continued until nothing is left of it.
//!
//! A *quiet* send asks for no completion of its success: it is performed in the kernel entry that
//! submits it, and completes visibly only if the socket did not accept all bytes at once. So a
//! reply to a call costs no completion, and the entry that sends it can sleep until the next call.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::Send;
use io_uring::squeue;
use io_uring::types::Fd;

use super::{Completion, Submission, Tag, Token, is_transient};
use crate::slots::ConnId;

/// Buffer being sent. Its connection owns it until the last completion.
pub(crate) struct SendOp {
    buffer: Vec<u8>,
    sent: usize,
    /// Number of the submission, while no completion is expected for it.
    quiet: Option<u64>,
}

/// Progress of a send.
pub(crate) enum Progress {
    /// All bytes are sent.
    Done,
    /// Some bytes are left: prepare again.
    More,
    /// The socket is broken.
    Failed(io::Error),
}

impl SendOp {
    pub(crate) fn new(buffer: Vec<u8>) -> Self {
        assert!(!buffer.is_empty(), "an empty send would never complete");
        Self {
            buffer,
            sent: 0,
            quiet: None,
        }
    }

    /// Creates a send that expects no completion, submitted under `number`.
    pub(crate) fn quiet(buffer: Vec<u8>, number: u64) -> Self {
        Self {
            quiet: Some(number),
            ..Self::new(buffer)
        }
    }

    /// Returns the number under which a quiet send was submitted; `None` once it has completed
    /// visibly.
    pub(crate) fn quiet_number(&self) -> Option<u64> {
        self.quiet
    }

    /// Prepares a send of the remaining bytes. Asks the kernel to continue by itself after a short
    /// send.
    pub(crate) fn prepare(&self, socket: BorrowedFd<'_>, conn: ConnId) -> Submission {
        let rest = &self.buffer[self.sent..];
        let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let mut flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        if self.quiet.is_some() {
            // A send that may not wait ends within the entry, and a short one counts as failed.
            flags |= libc::MSG_DONTWAIT;
        }
        let entry = Send::new(Fd(socket.as_raw_fd()), rest.as_ptr(), len).flags(flags);
        let mut entry = entry.build();
        if self.quiet.is_some() {
            entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
        }
        // SAFETY: the bytes are on the heap of `buffer`, which nothing touches until this send's
        // last completion, or, if it is quiet, until the entry that submits it is over: the op
        // stays in its connection, and the connection in its slot, until then. A ring that does
        // not come to rest leaks both.
        unsafe { Submission::new(entry, Token::new(Tag::Send, conn)) }
    }

    /// Processes a completion. Remaining bytes are sent with completions.
    pub(crate) fn complete(&mut self, completion: &Completion) -> Progress {
        self.quiet = None;
        match completion.outcome() {
            Ok(0) => Progress::Failed(io::ErrorKind::WriteZero.into()),
            Ok(len) => {
                self.sent += len as usize;
                assert!(self.sent <= self.buffer.len(), "sent more than there was");
                if self.sent == self.buffer.len() {
                    Progress::Done
                } else {
                    Progress::More
                }
            }
            Err(error) if is_transient(&error) => Progress::More,
            Err(error) => Progress::Failed(error),
        }
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, SendOp};
    use crate::op::Completion;

    fn completion(result: i32) -> Completion {
        Completion {
            user_data: 0,
            result,
            flags: 0,
        }
    }

    #[test]
    fn short_sends_go_on_and_interrupts_repeat() {
        let mut send = SendOp::new(vec![0; 10]);
        assert!(matches!(send.complete(&completion(4)), Progress::More));
        let interrupted = completion(-libc::EINTR);
        assert!(matches!(send.complete(&interrupted), Progress::More));
        assert!(matches!(send.complete(&completion(6)), Progress::Done));
    }

    #[test]
    fn a_quiet_send_that_was_heard_of_is_quiet_no_more() {
        let mut send = SendOp::quiet(vec![0; 10], 7);
        assert_eq!(send.quiet_number(), Some(7));
        let full = completion(-libc::EAGAIN);
        assert!(matches!(send.complete(&full), Progress::More));
        assert_eq!(send.quiet_number(), None);
    }

    #[test]
    fn a_broken_pipe_ends_it() {
        let mut send = SendOp::new(vec![0; 10]);
        let broken = completion(-libc::EPIPE);
        assert!(matches!(send.complete(&broken), Progress::Failed(_)));
    }
}
