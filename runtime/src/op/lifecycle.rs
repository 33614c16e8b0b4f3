//! The whole in-flight story of one connection.
//!
//! ```text
//!            receive(on)            last completion, still wanted
//!   Idle ───────────────► Armed ◄──────────────┐
//!    ▲                     │ pause: cancel      │
//!    │   last completion   ▼                    │
//!    └──────────────── Cancelling ──────────────┘
//! ```
//!
//! Every submission that bears the connection's slot is counted; the slot, and with it the
//! socket and the buffers, is freed only after the last completion of the last of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::connect::ConnectOp;
use super::send::SendOp;

/// State of one connection on the ring.
pub(crate) struct Connection {
    socket: OwnedFd,
    /// Number of submissions whose last completion has not arrived yet.
    in_flight: u32,
    /// True while the kernel has a receive.
    pub(crate) armed: bool,
    /// True if receiving is turned on: a receive that ends is submitted again.
    pub(crate) wanted: bool,
    /// True while a cancel of the receive is in progress.
    pub(crate) cancelling: bool,
    /// True once the peer has ended, so that nothing is left to receive.
    pub(crate) ended: bool,
    /// True once closed: completions are counted and nothing is reported.
    pub(crate) closing: bool,
    /// Send in flight, stored here so that its buffer outlives the op.
    pub(crate) send: Option<SendOp>,
    /// Connect in flight, stored here so that its address outlives the op.
    pub(crate) connect: Option<ConnectOp>,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            in_flight: 0,
            armed: false,
            wanted: false,
            cancelling: false,
            ended: false,
            closing: false,
            send: None,
            connect: None,
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Counts a submission of this connection that was passed to the ring.
    pub(crate) fn submitted(&mut self) {
        self.in_flight += 1;
    }

    /// Counts the last completion of a submission.
    pub(crate) fn completed(&mut self) {
        assert!(self.in_flight > 0, "completed more than was submitted");
        self.in_flight -= 1;
    }

    /// Returns `true` if the kernel holds nothing of this connection any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.in_flight == 0
    }

    /// Returns `true` if a send is in flight for which no completion is expected.
    pub(crate) fn is_quiet(&self) -> bool {
        self.send
            .as_ref()
            .is_some_and(|send| send.quiet_number().is_some())
    }

    /// Returns `true` if a receive should be submitted now.
    pub(crate) fn should_arm(&self) -> bool {
        self.wanted && !self.armed && !self.ended && !self.closing
    }

    /// Returns `true` if the receive should be cancelled now.
    pub(crate) fn should_cancel(&self) -> bool {
        self.armed && !self.wanted && !self.cancelling && !self.closing
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::Connection;

    fn connection() -> Connection {
        let (socket, _) = UnixStream::pair().expect("a socket pair");
        Connection::new(OwnedFd::from(socket))
    }

    #[test]
    fn a_pause_taken_back_arms_again_after_the_last_completion() {
        let mut connection = connection();
        connection.wanted = true;
        assert!(connection.should_arm());
        connection.armed = true;
        connection.submitted();
        connection.wanted = false;
        assert!(connection.should_cancel());
        connection.cancelling = true;
        connection.submitted();
        connection.wanted = true;
        assert!(!connection.should_arm() && !connection.should_cancel());
        connection.armed = false;
        connection.completed();
        assert!(connection.should_arm());
        connection.completed();
        assert!(connection.is_at_rest());
    }

    #[test]
    fn nothing_is_armed_after_the_end_or_the_close() {
        let mut connection = connection();
        connection.wanted = true;
        connection.ended = true;
        assert!(!connection.should_arm());
        connection.ended = false;
        connection.closing = true;
        assert!(!connection.should_arm());
    }
}
