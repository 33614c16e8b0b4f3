//! Output: frames go straight into one buffer; what the windows refuse waits in its stream's
//! queue and goes out in turns.

use alloc::vec::Vec;
use core::mem;

use super::{Connection, Role};
use crate::block_cache::BlockCache;
use crate::error::{ErrorCode, OpenError};
use crate::frame::{HEAD_BYTES, write};
use crate::hpack::Field;
use crate::stream::{Queue, State, StreamKey, Trailers};

/// The largest stream identifier (RFC 9113 §5.1.1).
const STREAM_ID_MAX: u32 = 0x7fff_ffff;

/// Entries of streams that are gone that the line of senders may hold besides as many as are open.
const LINE_SLACK: usize = 16;

/// What one stream may send before the next has its turn.
const TURN_BYTES: usize = 16 << 10;

impl Connection {
    /// A stream can be opened now.
    pub fn can_open(&self) -> bool {
        self.opening().is_ok()
    }

    fn opening(&self) -> Result<(), OpenError> {
        debug_assert!(self.role == Role::Client, "a server opens no streams");
        if self.shutdown.closes_to_new() {
            Err(OpenError::GoingAway)
        } else if self.ids.next_local > STREAM_ID_MAX {
            Err(OpenError::IdsExhausted)
        } else if self.streams.len() >= self.peer.concurrent_streams_max as usize {
            Err(OpenError::AtPeerLimit)
        } else {
            Ok(())
        }
    }

    /// Opens a stream with its request head (client).
    ///
    /// # Errors
    /// The peer's limit, the end of the connection, or the end of identifiers stands against it.
    pub fn open<'f>(
        &mut self,
        fields: impl Iterator<Item = Field<'f>>,
        cache: Option<&mut BlockCache>,
        end_stream: bool,
    ) -> Result<StreamKey, OpenError> {
        self.opening()?;
        let id = self.ids.next_local;
        self.ids.next_local += 2;
        let state = if end_stream {
            State::HalfClosedLocal
        } else {
            State::Open
        };
        let key = self.insert_stream(id, state);
        self.abuse.on_stream();
        self.write_block(id, fields, cache, end_stream);
        Ok(key)
    }

    /// Sends a response head, or trailers when `end_stream` is set after data. Trailers wait
    /// behind queued data. A stream that is gone is left alone.
    ///
    /// Of a list that ends its stream, fields that the peer's SETTINGS_MAX_HEADER_LIST_SIZE has no
    /// room for are left out, each judged in its turn, so that what comes first matters most: a
    /// peer that refused the whole list would learn nothing of how the stream ended. Other lists
    /// go out as they are, for the limit is advice (RFC 9113 §6.5.2) and silence would hide a loss.
    pub fn send_headers<'f>(
        &mut self,
        stream: StreamKey,
        fields: impl Iterator<Item = Field<'f>>,
        cache: Option<&mut BlockCache>,
        end_stream: bool,
    ) {
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        if !entry.state.may_send() {
            return;
        }
        if let Some(queue) = &mut entry.queue {
            debug_assert!(end_stream, "only trailers follow data");
            if queue.end {
                return;
            }
            let before = queue.pinned_bytes();
            queue.trailers = Some(Trailers::copy(fields));
            queue.end = true;
            let after = queue.pinned_bytes();
            return self.on_queue_resized(before, after);
        }
        self.write_block(stream.id, fields, cache, end_stream);
        if end_stream {
            self.end_sent(stream);
        }
    }

    fn write_block<'f>(
        &mut self,
        id: u32,
        fields: impl Iterator<Item = Field<'f>>,
        cache: Option<&mut BlockCache>,
        end_stream: bool,
    ) {
        self.abuse.on_block_sent();
        let Self {
            sender, peer, role, ..
        } = self;
        let frame_bytes_max = peer.frame_bytes_max as usize;
        let epoch = sender.encoder.epoch();
        if let Some(block) = cache.as_ref().and_then(|cache| cache.block(epoch)) {
            return write::headers(&mut sender.out, id, block, end_stream, frame_bytes_max);
        }
        let mut room = match end_stream && *role == Role::Server {
            true => peer.header_list_bytes_max as usize,
            false => usize::MAX,
        };
        let fields = fields.filter(|field| {
            let left = room.checked_sub(field.list_bytes());
            room = left.unwrap_or(room);
            left.is_some()
        });
        let at = sender.out.len();
        sender.out.extend_from_slice(&[0; HEAD_BYTES]);
        let mutated = sender.encoder.encode(fields, &mut sender.out);
        if let Some(cache) = cache.filter(|_| !mutated) {
            cache.keep(sender.encoder.epoch(), &sender.out[at + HEAD_BYTES..]);
        }
        write::finish_headers(&mut sender.out, at, id, end_stream, frame_bytes_max);
    }

    /// We have ended the stream. A server that ends before its client tells it to stop sending,
    /// strictly after the trailers (RFC 9113 §8.1).
    fn end_sent(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.at_mut(key) else {
            return;
        };
        match stream.state.on_end_sent() {
            Some(_) if self.role == Role::Server => {
                write::reset(&mut self.sender.out, key.id, ErrorCode::NO_ERROR);
                self.ids.resets.push(key.id);
                self.remove_stream(key);
            }
            Some(state) => stream.state = state,
            None => {
                self.abuse.resets.refund();
                self.remove_stream(key);
            }
        }
    }

    /// Starts a DATA frame of exactly `len` bytes in the output, which the caller must append to
    /// the returned buffer. `None`, and nothing done, when the windows, the peer's frame size,
    /// bytes queued before (other streams' too) or a full output stand against it: use
    /// [`Connection::send_data`] then.
    pub fn data_in_place(
        &mut self,
        stream: StreamKey,
        len: usize,
        end_stream: bool,
    ) -> Option<&mut Vec<u8>> {
        let entry = self.streams.at_mut(stream)?;
        let admitted = entry.state.may_send()
            && entry.queue.is_none()
            && self.sender.ready.is_empty()
            && len <= entry.send_window.available()
            && len <= self.sender.window.available()
            && len <= self.peer.frame_bytes_max as usize
            && self.sender.out.len() < self.limits.output_bytes_high;
        if !admitted {
            return None;
        }
        let debited = entry.send_window.consume(len) && self.sender.window.consume(len);
        debug_assert!(debited);
        if end_stream {
            match entry.state.on_end_sent() {
                Some(state) => entry.state = state,
                None => {
                    self.abuse.resets.refund();
                    self.remove_stream(stream);
                }
            }
        }
        self.abuse.on_data_sent();
        write::data_head(&mut self.sender.out, stream.id, len, end_stream);
        Some(&mut self.sender.out)
    }

    /// Sends body bytes; what the windows refuse is copied into the stream's queue. A stream that
    /// is gone is left alone.
    pub fn send_data(&mut self, stream: StreamKey, bytes: &[u8], end_stream: bool) {
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        if !entry.state.may_send() {
            return;
        }
        let mut rest = bytes;
        if entry.queue.is_none() {
            if bytes.is_empty() {
                if end_stream {
                    write::data_head(&mut self.sender.out, stream.id, 0, true);
                    self.end_sent(stream);
                }
                return;
            }
            // Streams that stand in line come first, else those who come fresh would starve them.
            if self.sender.ready.is_empty() {
                let bytes_high = self.limits.output_bytes_high;
                let sent = self.write_data(stream, bytes, end_stream, bytes_high);
                rest = &bytes[sent..];
                if rest.is_empty() {
                    return;
                }
            }
        }
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        let queue = entry.queue.get_or_insert_default();
        if queue.end {
            return;
        }
        let before = queue.pinned_bytes();
        queue.push(rest);
        queue.end = end_stream;
        let after = queue.pinned_bytes();
        self.on_queue_resized(before, after);
        self.await_write_progress();
        self.stand_in_line(stream);
    }

    /// Puts a stream into the line of those that have bytes to send and may.
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

    /// Writes as many DATA frames as the windows and an output of `bytes_high` admit; how many
    /// bytes went out. END_STREAM goes with the last byte.
    fn write_data(
        &mut self,
        key: StreamKey,
        bytes: &[u8],
        end_stream: bool,
        bytes_high: usize,
    ) -> usize {
        let mut sent = 0;
        while sent < bytes.len() && self.sender.out.len() < bytes_high {
            let Some(stream) = self.streams.at_mut(key) else {
                break;
            };
            let len = (bytes.len() - sent)
                .min(stream.send_window.available())
                .min(self.sender.window.available())
                .min(self.peer.frame_bytes_max as usize);
            if len == 0 {
                break;
            }
            let debited = stream.send_window.consume(len) && self.sender.window.consume(len);
            debug_assert!(debited);
            let ends = end_stream && sent + len == bytes.len();
            self.abuse.on_data_sent();
            write::data_head(&mut self.sender.out, key.id, len, ends);
            self.sender.out.extend_from_slice(&bytes[sent..sent + len]);
            sent += len;
            if ends {
                self.end_sent(key);
            }
        }
        sent
    }

    /// Bytes that wait in the stream's queue.
    pub fn queued(&self, stream: StreamKey) -> usize {
        let queue = self
            .streams
            .at(stream)
            .and_then(|entry| entry.queue.as_ref());
        queue.map_or(0, |queue| queue.len())
    }

    /// The next stream whose queue has run empty since it was last asked for.
    pub fn next_drained(&mut self) -> Option<StreamKey> {
        while let Some(key) = self.sender.drained.pop_front() {
            if self.is_open(key) {
                return Some(key);
            }
        }
        None
    }

    /// Ends a stream at once with RST_STREAM; its queued bytes are dropped.
    pub fn reset(&mut self, stream: StreamKey, code: ErrorCode) {
        if self.is_open(stream) {
            write::reset(&mut self.sender.out, stream.id, code);
            self.ids.resets.push(stream.id);
            self.remove_stream(stream);
        }
    }

    /// Sends PING with this payload; [`crate::Event::PingAck`] reports its return.
    pub fn ping(&mut self, opaque: u64) {
        write::ping(&mut self.sender.out, &opaque.to_be_bytes(), false);
    }

    /// Something would be transmitted now.
    pub fn has_output(&self) -> bool {
        let line_moves = !self.shutdown.failed && self.sender.window.available() > 0;
        !self.sender.out.is_empty()
            || self.owes_credit()
            || (line_moves && !self.sender.ready.is_empty())
    }

    /// The output buffer has no memory of its own yet: [`Connection::lend_output`] may give some.
    pub fn wants_output(&self) -> bool {
        self.sender.out.capacity() == 0
    }

    /// Gives the connection an empty buffer to write into.
    pub fn lend_output(&mut self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty());
        if self.sender.out.is_empty() {
            self.sender.out = buffer;
        }
    }

    /// Takes the output buffer back while nothing is in it, so that an idle connection owns none.
    pub fn take_spare_output(&mut self) -> Option<Vec<u8>> {
        let spare = self.sender.out.is_empty() && self.sender.out.capacity() > 0;
        spare.then(|| mem::take(&mut self.sender.out))
    }

    /// Moves all that can be sent now into `out`: by swapping buffers if `out` is empty.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        if self.owes_credit()
            && let Some(increment) = self.receive_window.take_due()
        {
            write::window_update(&mut self.sender.out, 0, increment);
        }
        self.flush_queues();
        self.abuse.on_transmit();
        if out.is_empty() {
            mem::swap(out, &mut self.sender.out);
        } else {
            out.append(&mut self.sender.out);
        }
    }

    /// The connection's window is to be given back to the peer.
    fn owes_credit(&self) -> bool {
        self.receive_window.is_due() && !self.shutdown.failed
    }

    /// Sends from the queues in turns until the windows close or the output is high.
    fn flush_queues(&mut self) {
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
