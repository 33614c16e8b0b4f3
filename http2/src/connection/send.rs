//! Output: frames are written into one buffer, as far as the windows admit.

use alloc::vec::Vec;
use core::mem;

use super::{Connection, Role};
use crate::block_cache::BlockCache;
use crate::error::{ErrorCode, OpenError};
use crate::frame::{HEAD_BYTES, write};
use crate::hpack::Field;
use crate::stream::{State, StreamKey, Trailers};

/// The largest stream identifier (RFC 9113 §5.1.1).
const STREAM_ID_MAX: u32 = 0x7fff_ffff;

impl Connection {
    /// Returns `true` if a stream can be opened now.
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
        let key = self.begin(end_stream)?;
        self.write_block(key.id, fields, cache, end_stream);
        Ok(key)
    }

    /// Opens a stream as [`Connection::open`] does, with a head in two parts: fields that are equal
    /// for every call, whose encoding `cache` stores, and the fields of this call.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn open_in_parts<'s, 'r>(
        &mut self,
        same: impl Iterator<Item = Field<'s>>,
        cache: &mut BlockCache,
        rest: impl Iterator<Item = Field<'r>>,
        end_stream: bool,
    ) -> Result<StreamKey, OpenError> {
        let key = self.begin(end_stream)?;
        self.abuse.on_block_sent();
        let Self { sender, peer, .. } = self;
        let at = sender.out.len();
        sender.out.extend_from_slice(&[0; HEAD_BYTES]);
        match cache.block(sender.encoder.epoch()) {
            Some(block) => sender.out.extend_from_slice(block),
            None if sender.encoder.encode(same, &mut sender.out) => {}
            None => cache.keep(sender.encoder.epoch(), &sender.out[at + HEAD_BYTES..]),
        }
        sender.encoder.encode(rest, &mut sender.out);
        let frame_bytes_max = peer.frame_bytes_max as usize;
        write::finish_headers(&mut sender.out, at, key.id, end_stream, frame_bytes_max);
        Ok(key)
    }

    fn begin(&mut self, end_stream: bool) -> Result<StreamKey, OpenError> {
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
        Ok(key)
    }

    /// Sends a response head, or trailers if `end_stream` is set after data. Trailers wait behind
    /// queued data. Does nothing if the stream is closed.
    ///
    /// The list goes out as it is, however long: see [`Connection::peer_header_list_bytes_max`].
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

    pub(super) fn write_block<'f>(
        &mut self,
        id: u32,
        fields: impl Iterator<Item = Field<'f>>,
        cache: Option<&mut BlockCache>,
        end_stream: bool,
    ) {
        self.abuse.on_block_sent();
        let Self { sender, peer, .. } = self;
        let frame_bytes_max = peer.frame_bytes_max as usize;
        let epoch = sender.encoder.epoch();
        if let Some(block) = cache.as_ref().and_then(|cache| cache.block(epoch)) {
            return write::headers(&mut sender.out, id, block, end_stream, frame_bytes_max);
        }
        let at = sender.out.len();
        sender.out.extend_from_slice(&[0; HEAD_BYTES]);
        let mutated = sender.encoder.encode(fields, &mut sender.out);
        if let Some(cache) = cache.filter(|_| !mutated) {
            cache.keep(sender.encoder.epoch(), &sender.out[at + HEAD_BYTES..]);
        }
        write::finish_headers(&mut sender.out, at, id, end_stream, frame_bytes_max);
    }

    /// Applies our end of the stream. A server that ends before its client asks it to stop sending,
    /// strictly after the trailers (RFC 9113 §8.1).
    pub(super) fn end_sent(&mut self, key: StreamKey) {
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
    /// the returned buffer. Returns `None` and does nothing if the windows, the peer's frame size,
    /// earlier queued bytes (also of other streams) or a full output forbid it: use
    /// [`Connection::send_data`] then.
    #[inline(always)]
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

    /// Sends body bytes; those that the windows do not admit are copied into the stream's queue.
    /// Does nothing if the stream is closed.
    pub fn send_data(&mut self, stream: StreamKey, bytes: &[u8], end_stream: bool) {
        if let Some(sent) = self.send_unqueued(stream, bytes, end_stream) {
            self.enqueue(stream, end_stream, |queue| queue.push(&bytes[sent..]));
        }
    }

    /// Sends a whole buffer as [`Connection::send_data`] does. An empty queue keeps the buffer
    /// instead of a copy if much of it must wait; otherwise the buffer is returned with its bytes.
    pub fn send_buffer(
        &mut self,
        stream: StreamKey,
        buffer: Vec<u8>,
        end_stream: bool,
    ) -> Option<Vec<u8>> {
        let Some(sent) = self.send_unqueued(stream, &buffer, end_stream) else {
            return Some(buffer);
        };
        let mut left = Some(buffer);
        self.enqueue(stream, end_stream, |queue| {
            left = left.take().and_then(|buffer| queue.keep(buffer, sent));
        });
        left
    }

    /// Sends as much as possible without a queue. Returns `None` if that was everything or the
    /// stream accepts no more, else the number of bytes sent.
    fn send_unqueued(
        &mut self,
        stream: StreamKey,
        bytes: &[u8],
        end_stream: bool,
    ) -> Option<usize> {
        let entry = self.streams.at_mut(stream)?;
        if !entry.state.may_send() {
            return None;
        }
        if entry.queue.is_some() {
            return Some(0);
        }
        if bytes.is_empty() {
            if end_stream {
                write::data_head(&mut self.sender.out, stream.id, 0, true);
                self.end_sent(stream);
            }
            return None;
        }
        // Streams that stand in line come first, else those who come fresh would starve them.
        if !self.sender.ready.is_empty() {
            return Some(0);
        }
        let bytes_high = self.limits.output_bytes_high;
        let sent = self.write_data(stream, bytes, end_stream, bytes_high);
        (sent < bytes.len()).then_some(sent)
    }

    /// Writes as many DATA frames as the windows and an output of `bytes_high` admit, and returns
    /// the number of bytes written. END_STREAM goes with the last byte.
    pub(super) fn write_data(
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

    /// Ends a stream at once with RST_STREAM; its queued bytes are dropped.
    pub fn reset(&mut self, stream: StreamKey, code: ErrorCode) {
        if self.is_open(stream) {
            write::reset(&mut self.sender.out, stream.id, code);
            self.ids.resets.push(stream.id);
            self.remove_stream(stream);
        }
    }

    /// Sends PING with this payload; [`crate::Event::PingAck`] reports the acknowledgement.
    pub fn ping(&mut self, opaque: u64) {
        write::ping(&mut self.sender.out, &opaque.to_be_bytes(), false);
    }

    /// Returns `true` if [`Connection::transmit`] would return bytes now.
    pub fn has_output(&self) -> bool {
        let line_moves = !self.shutdown.failed && self.sender.window.available() > 0;
        !self.sender.out.is_empty()
            || (!self.shutdown.failed && (self.connection_credit() > 0 || self.may_serve_waiting()))
            || (line_moves && !self.sender.ready.is_empty())
    }

    /// Returns `true` if the output buffer has no memory yet: [`Connection::lend_output`] may
    /// supply it.
    pub fn wants_output(&self) -> bool {
        self.sender.out.capacity() == 0
    }

    /// Supplies an empty buffer to write into.
    pub fn lend_output(&mut self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty());
        if self.sender.out.is_empty() {
            self.sender.out = buffer;
        }
    }

    /// Takes the output buffer while it is empty, so that an idle connection owns none.
    pub fn take_spare_output(&mut self) -> Option<Vec<u8>> {
        let spare = self.sender.out.is_empty() && self.sender.out.capacity() > 0;
        spare.then(|| mem::take(&mut self.sender.out))
    }

    /// Moves everything that can be sent now into `out`, by a swap of buffers if `out` is empty.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        self.give_credit();
        self.flush_queues();
        self.abuse.on_transmit();
        if out.is_empty() {
            mem::swap(out, &mut self.sender.out);
        } else {
            out.append(&mut self.sender.out);
        }
    }

    /// Writes WINDOW_UPDATE frames for readers that wait and for the connection.
    fn give_credit(&mut self) {
        if self.shutdown.failed {
            return;
        }
        if self.may_serve_waiting() {
            self.serve_waiting();
        }
        let due = self.connection_credit();
        if due > 0 {
            let increment = self.receive_window.grow(due);
            write::window_update(&mut self.sender.out, 0, increment);
        }
    }
}
