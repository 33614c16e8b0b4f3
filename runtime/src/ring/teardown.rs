//! Teardown of a ring.
//!
//! Closing a ring's descriptor ends its ops some time later, so memory may be freed only after
//! everything was cancelled and has completed. Memory of ops that do not complete in time is
//! leaked: a few lost pages are better than kernel writes into memory that others use.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::Uring;
use crate::clock;
use crate::driver::{Driver, Sink, Wait};
use crate::op::cancel;
use crate::slots::ConnId;

/// Time of one wait for the last completions.
const STEP: Duration = Duration::from_millis(10);

/// Sink that ignores all reports, and closes sockets that are still accepted.
struct Nobody;

impl Sink for Nobody {
    fn accepted(&mut self, _listener: usize, _socket: OwnedFd) {}
    fn accept_failed(&mut self, _listener: usize, _error: io::Error) {}
    fn received(&mut self, _conn: ConnId, _bytes: &[u8]) {}
    fn ended(&mut self, _conn: ConnId, _failure: Option<io::Error>) {}
    fn sent(&mut self, _conn: ConnId, _buffer: Vec<u8>) {}
    fn connected(&mut self, _conn: ConnId, _result: io::Result<()>) {}
}

impl Uring {
    /// Closes listeners first, then everything else, and waits for the last completion.
    pub(super) fn tear_down(&mut self, patience: Duration) {
        self.stop_listening();
        let ids: Vec<ConnId> = self.connections.ids().collect();
        for id in ids {
            self.close(id);
        }
        self.is_ending = true;
        let deadline = clock::now() + patience;
        while self.in_flight > 0 && clock::now() < deadline {
            self.push(cancel::prepare_all());
            if self.queue.enter(Wait::AtMost(STEP)).is_err() {
                break;
            }
            self.reap_all(&mut Nobody);
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        if !self.is_ending {
            self.tear_down(STEP);
        }
        self.listeners.clear();
        // SAFETY: each is dropped once, here, and not used after. The queue goes first: with
        // nothing in flight the kernel then knows no address of ours. With something in flight
        // the kernel may still write to buffers and read from sends, so those are leaked.
        unsafe {
            ManuallyDrop::drop(&mut self.queue);
            if self.in_flight == 0 {
                ManuallyDrop::drop(&mut self.connections);
                ManuallyDrop::drop(&mut self.buffers);
            } else {
                tracing::warn!(
                    in_flight = self.in_flight,
                    "operations of the ring did not end in time: its buffers are leaked"
                );
            }
        }
    }
}
