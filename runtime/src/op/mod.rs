//! Operations of the ring, one per file.
//!
//! `prepare` makes the submission and is the one place that states, for its op, who owns the memory
//! that the kernel will touch, until which completion. `complete` reads the result.

pub(crate) mod accept;
pub(crate) mod cancel;
pub(crate) mod connect;
pub(crate) mod lifecycle;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod wait;
pub(crate) mod wake;

use std::io;

use io_uring::squeue;

use crate::slots::{ConnId, GENERATION_MASK};

/// Kind of op that a completion belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// A multishot accept; the slot is the listener's index.
    Accept = 1,
    /// A multishot receive.
    Receive = 2,
    /// A send.
    Send = 3,
    /// A connect.
    Connect = 4,
    /// A cancel of an op that belongs to a connection.
    Cancel = 5,
    /// A cancel of an op that belongs to no connection.
    CancelOther = 6,
    /// The watch on the mailbox.
    Wake = 7,
}

/// Value that the kernel carries with an op (`user_data`): tag (8 bits), generation (24), slot
/// (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) tag: Tag,
    pub(crate) conn: ConnId,
}

impl Token {
    pub(crate) fn new(tag: Tag, conn: ConnId) -> Self {
        debug_assert!(conn.generation <= GENERATION_MASK);
        Self { tag, conn }
    }

    /// Creates a token for an op that belongs to no connection.
    pub(crate) fn numbered(tag: Tag, number: u32) -> Self {
        let conn = ConnId {
            slot: number,
            generation: 0,
        };
        Self { tag, conn }
    }

    pub(crate) fn pack(self) -> u64 {
        (self.tag as u64) << 56 | u64::from(self.conn.generation) << 32 | u64::from(self.conn.slot)
    }

    /// Unpacks a value of [`pack`](Self::pack); `None` if its tag is unknown.
    pub(crate) fn unpack(value: u64) -> Option<Self> {
        let tag = match (value >> 56) as u8 {
            1 => Tag::Accept,
            2 => Tag::Receive,
            3 => Tag::Send,
            4 => Tag::Connect,
            5 => Tag::Cancel,
            6 => Tag::CancelOther,
            7 => Tag::Wake,
            _ => return None,
        };
        let conn = ConnId {
            slot: value as u32,
            generation: (value >> 32) as u32 & GENERATION_MASK,
        };
        Some(Self { tag, conn })
    }
}

/// Submission entry that may be passed to the kernel.
pub(crate) struct Submission(squeue::Entry);

impl Submission {
    /// Creates a submission with `token`.
    ///
    /// # Safety
    ///
    /// All memory that `entry` names must stay valid, and must not be written by others, until the
    /// op's last completion.
    unsafe fn new(entry: squeue::Entry, token: Token) -> Self {
        Self(entry.user_data(token.pack()))
    }

    pub(crate) fn into_entry(self) -> squeue::Entry {
        self.0
    }
}

/// Completion, copied out of the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    pub(crate) result: i32,
    pub(crate) flags: u32,
}

impl Completion {
    /// Returns `true` if the op is still active and will complete again.
    pub(crate) fn has_more(&self) -> bool {
        io_uring::cqueue::more(self.flags)
    }

    /// Returns the result as the system call of the same name would.
    pub(crate) fn outcome(&self) -> io::Result<u32> {
        u32::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }
}

/// Returns `true` if an op that failed with `error` should simply be submitted again.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN))
}

#[cfg(test)]
mod tests {
    use super::{Tag, Token};
    use crate::slots::ConnId;

    #[test]
    fn tokens_survive_the_kernel() {
        let conn = ConnId {
            slot: 0xdead_beef,
            generation: 0x00fe_dcba,
        };
        for tag in [
            Tag::Accept,
            Tag::Receive,
            Tag::Send,
            Tag::Connect,
            Tag::Wake,
        ] {
            let token = Token::new(tag, conn);
            assert_eq!(Token::unpack(token.pack()), Some(token));
        }
        assert_eq!(Token::unpack(0), None);
        assert_eq!(Token::unpack(u64::MAX), None);
    }
}
