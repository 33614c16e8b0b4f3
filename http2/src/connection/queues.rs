//! Queues of bodies that wait for a window, and the round robin of streams that may send.

use super::Connection;
use crate::stream::{Queue, StreamKey};

/// Entries of closed streams that the list of senders may hold in addition to the open ones.
const LINE_SLACK: usize = 16;

/// Bytes that one stream may send before the next stream may send.
const TURN_BYTES: usize = 16 << 10;

impl Connection {
    /// Lets `fill` append to the stream's queue, unless the queue has its end already.
    pub(super) fn enqueue(
        &mut self,
        stream: StreamKey,
        end_stream: bool,
        fill: impl FnOnce(&mut Queue),
    ) {
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        let queue = entry.queue.get_or_insert_default();
        if queue.end {
            return;
        }
        let before = queue.pinned_bytes();
        fill(queue);
        queue.end = end_stream;
        let after = queue.pinned_bytes();
        self.on_queue_resized(before, after);
        self.await_write_progress();
        self.stand_in_line(stream);
    }

    /// Adds a stream to the list of senders if it has bytes to send and may send them.
    pub(super) fn stand_in_line(&mut self, key: StreamKey) {
        let Self {
            sender, streams, ..
        } = self;
        // While the connection's window is closed the line does not move: those that were reset
        // in it must not pile up.
        if sender.ready.len() > 2 * streams.len() + LINE_SLACK {
            sender.ready.retain(|&key| streams.at(key).is_some());
        }
        if let Some(stream) = streams.at_mut(key)
            && stream.wants_turn()
        {
            stream.listed = true;
            sender.ready.push_back(key);
        }
    }

    /// Returns the number of bytes in the stream's queue.
    pub fn queued(&self, stream: StreamKey) -> usize {
        let queue = self
            .streams
            .at(stream)
            .and_then(|entry| entry.queue.as_ref());
        queue.map_or(0, |queue| queue.len())
    }

    /// Returns the bytes that the stream could send now if all open streams had equal parts of
    /// the connection's window and of the room in the output.
    pub fn sendable_share(&self, stream: StreamKey) -> usize {
        let Some(entry) = self.streams.at(stream) else {
            return 0;
        };
        let bytes_high = self.limits.output_bytes_high;
        let room = bytes_high.saturating_sub(self.sender.out.len());
        let shared = room.min(self.sender.window.available()) / self.streams.len().max(1);
        shared.min(entry.send_window.available())
    }

    /// Returns the next stream whose queue has run empty since the last call.
    pub fn next_drained(&mut self) -> Option<StreamKey> {
        while let Some(key) = self.sender.drained.pop_front() {
            if self.is_open(key) {
                return Some(key);
            }
        }
        None
    }

    /// Sends from the queues, one stream after the other, until the windows close or the output is
    /// full.
    pub(super) fn flush_queues(&mut self) {
        if self.shutdown.failed {
            return;
        }
        // One DATA frame at least: heads and replies, however many, must not starve it.
        let bytes_high = match self.abuse.is_data_written() {
            true => self.limits.output_bytes_high,
            false => self.limits.output_bytes_high.max(self.sender.out.len() + 1),
        };
        while let Some(&key) = self.sender.ready.front() {
            let Some(stream) = self.streams.at_mut(key) else {
                self.sender.ready.pop_front();
                continue;
            };
            let Some(mut queue) = stream.queue.take() else {
                stream.listed = false;
                self.sender.ready.pop_front();
                continue;
            };
            let turn = queue.len().min(TURN_BYTES);
            let ends = queue.end && queue.trailers.is_none() && turn == queue.len();
            let sent = self.write_data(key, &queue.rest()[..turn], ends, bytes_high);
            queue.spend(sent);
            if sent > 0 {
                self.timers.on_write_progress();
            }
            self.sender.ready.pop_front();
            if queue.len() == 0 {
                self.on_queue_resized(queue.pinned_bytes(), 0);
                self.finish_queue(key, &queue);
                continue;
            }
            let Some(stream) = self.streams.at_mut(key) else {
                self.on_queue_resized(queue.pinned_bytes(), 0);
                continue;
            };
            stream.queue = Some(queue);
            stream.listed = stream.send_window.available() > 0;
            if !stream.listed {
                continue;
            }
            if sent == 0 {
                self.sender.ready.push_front(key);
            } else {
                self.sender.ready.push_back(key);
            }
            if sent < turn {
                // The connection's window or the output stands against it, not the stream's.
                return;
            }
        }
    }

    fn finish_queue(&mut self, key: StreamKey, queue: &Queue) {
        if let Some(stream) = self.streams.at_mut(key) {
            stream.listed = false;
        }
        match &queue.trailers {
            Some(trailers) => {
                self.write_block(key.id, trailers.iter(), None, true);
                self.end_sent(key);
            }
            None if queue.end => {}
            None => self.sender.drained.push_back(key),
        }
    }
}
