//! Send of a whole buffer, continued until nothing is left of it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::Send;
use io_uring::types::Fd;

use super::{Completion, Submission, Tag, Token, is_transient};
use crate::slots::ConnId;

/// A buffer on its way out. Its connection owns it until the last completion.
pub(crate) struct SendOp {
    buffer: Vec<u8>,
    sent: usize,
}

/// How far a send has come.
pub(crate) enum Progress {
    /// All bytes are out.
    Done,
    /// Some are left: prepare again.
    More,
    /// The socket is broken.
    Failed(io::Error),
}

impl SendOp {
    pub(crate) fn new(buffer: Vec<u8>) -> Self {
        assert!(!buffer.is_empty(), "an empty send would never complete");
        Self { buffer, sent: 0 }
    }

    /// Sends what is left. Asks the kernel to go on by itself after a short send.
    pub(crate) fn prepare(&self, socket: BorrowedFd<'_>, conn: ConnId) -> Submission {
        let rest = &self.buffer[self.sent..];
        let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry = Send::new(Fd(socket.as_raw_fd()), rest.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL);
        // SAFETY: the bytes are on the heap of `buffer`, which nothing touches until this send's
        // last completion: the op stays in its connection, and the connection in its slot, until
        // then. A ring that does not come to rest leaks both.
        unsafe { Submission::new(entry.build(), Token::new(Tag::Send, conn)) }
    }

    pub(crate) fn complete(&mut self, completion: &Completion) -> Progress {
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
    fn a_broken_pipe_ends_it() {
        let mut send = SendOp::new(vec![0; 10]);
        let broken = completion(-libc::EPIPE);
        assert!(matches!(send.complete(&broken), Progress::Failed(_)));
    }
}
