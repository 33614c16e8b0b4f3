//! End of a turn: pumps every socket that had an event.

use std::io;

use super::Shard;
use crate::slots::ConnId;
use crate::socket::After;

/// Largest number of passes in which a turn flushes sockets that were touched while flushing.
const FLUSHES_MAX: usize = 4;

impl Shard {
    /// Pumps every dirty socket: one send each. Sockets that had more than their share to do in the
    /// previous turn come last, after the output of the others is submitted.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.flushed = self.context.dirty.len();
        for _ in 0..FLUSHES_MAX {
            self.context.dirty.swap(&mut dirty);
            if dirty.is_empty() {
                break;
            }
            for id in dirty.drain(..) {
                match self.sockets.socket(id) {
                    Some(socket) if socket.is_paused() => self.postponed.push(id),
                    _ => self.pump(id),
                }
            }
            if !self.postponed.is_empty() {
                self.driver.submit()?;
                while let Some(id) = self.postponed.pop() {
                    self.pump(id);
                }
            }
        }
        self.dirty = dirty;
        Ok(())
    }

    fn pump(&mut self, id: ConnId) {
        let reasons = self.context.dirty.take(id);
        if let Some(socket) = self.sockets.socket(id)
            && socket.pump(reasons, &mut *self.driver, &self.context) == After::Close
        {
            self.close(id);
        }
    }
}
