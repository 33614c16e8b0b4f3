//! Messages with their five-byte prefixes (gRPC over HTTP/2, "Length-Prefixed-Message").

mod framing;

pub use framing::{Frame, Framing, Sending};

use crate::{Encoding, Status};
use prost::Message;

/// Length of the prefix of every message: a compressed flag and a big-endian length.
pub const PREFIX_BYTES: usize = 5;

/// Memory that an idle [`Deframer`] keeps of each of its two buffers, in bytes.
const CAPACITY_KEPT: usize = 4 << 10;

/// Memory for decompressed messages that a [`Deframer`] keeps from one message to the next, in
/// bytes.
const PLAIN_BYTES_KEPT: usize = 64 << 10;

/// Divisor for reservations: memory for the rest of a message is reserved once the buffer holds at
/// least the missing bytes divided by this number.
const RESERVE_SHARE: usize = 8;

/// Divisor for growth: a buffer with an unfinished message grows by its length divided by this
/// number.
const GROWTH_SHARE: usize = 4;

/// Appends the prefix of a message of `len` bytes. The length field holds 32 bits: callers check
/// a limit first.
pub fn write_prefix(out: &mut Vec<u8>, compressed: bool, len: usize) {
    debug_assert!(
        u32::try_from(len).is_ok(),
        "a message of {len} bytes has no prefix"
    );
    let [a, b, c, d] = (len as u32).to_be_bytes();
    out.extend_from_slice(&[u8::from(compressed), a, b, c, d]);
}

/// Appends `message` after its prefix, in one pass, and returns the length of the message in bytes.
///
/// # Errors
/// RESOURCE_EXHAUSTED when the message is longer than a prefix can say (4 GiB); nothing is
/// appended then.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<usize, Status> {
    let len = message.encoded_len();
    if u32::try_from(len).is_err() {
        return Err(too_long(len, u32::MAX as usize));
    }
    out.reserve(PREFIX_BYTES + len);
    write_prefix(out, false, len);
    message.encode_raw(out);
    Ok(len)
}

/// Decodes the message in `bytes`, which have no prefix.
///
/// # Errors
/// INTERNAL with the cause, when they are malformed.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| Status::internal(error.to_string()))
}

/// Returns the message in `bytes` if they are exactly one uncompressed message: the common case of
/// a unary request, handled without a [`Deframer`]. The caller must still check its length against
/// the limit.
pub fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
    (prefix[0] == 0 && length(prefix) == message.len()).then_some(message)
}

/// Message, and the bytes that follow it.
pub type Split<'a> = (&'a [u8], &'a [u8]);

/// Returns the first message in `bytes` and the bytes after it; `None` if it is incomplete.
///
/// # Errors
/// As [`Framing::split`] of messages that are not compressed.
pub fn split(bytes: &[u8], limit: usize) -> Result<Option<Split<'_>>, Status> {
    let split = Framing::plain(limit).split(bytes)?;
    Ok(split.map(|(frame, rest)| (frame.bytes, rest)))
}

/// Appends `bytes` to a buffer that grows by a quarter at a time, so that an unfinished message
/// occupies little more than the peer has sent.
pub fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    if buffer.capacity() - buffer.len() < bytes.len() {
        buffer.reserve_exact(bytes.len().max(buffer.len() / GROWTH_SHARE));
    }
    buffer.extend_from_slice(bytes);
}

/// Returns the number of bytes still missing from the first message in `buffer`, whose prefix is
/// included; 0 if the message is complete.
pub fn missing(buffer: &[u8]) -> usize {
    let whole = buffer.first_chunk::<PREFIX_BYTES>().map_or(0, length) + PREFIX_BYTES;
    whole.saturating_sub(buffer.len())
}

/// Reserves memory in `buffer` for the rest of its first message, if the message has at most
/// `limit` bytes and a fair share of it has arrived. Otherwise a prefix of five bytes could make
/// this end allocate a whole message.
pub fn reserve_rest(buffer: &mut Vec<u8>, limit: usize) {
    let Some(len) = buffer.first_chunk::<PREFIX_BYTES>().map(length) else {
        return;
    };
    let missing = (PREFIX_BYTES + len).saturating_sub(buffer.len());
    if len <= limit && missing / RESERVE_SHARE <= buffer.len() {
        buffer.reserve_exact(missing);
    }
}

fn length(&[_, a, b, c, d]: &[u8; PREFIX_BYTES]) -> usize {
    u32::from_be_bytes([a, b, c, d]) as usize
}

fn too_long(len: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a message of {len} bytes is over the limit of {limit}"
    ))
}

/// Puts messages together from bytes in any pieces.
///
/// ```
/// # use corespun_codec::{Status, message::Deframer};
/// let mut deframer = Deframer::new(1024);
/// deframer.push(b"\0\0\0\0\x02h");
/// assert_eq!(deframer.next()?, None);
/// deframer.push(b"i\0\0\0\0\0");
/// assert_eq!(deframer.next()?, Some(&b"hi"[..]));
/// assert_eq!(deframer.next()?, Some(&b""[..]));
/// assert_eq!(deframer.next()?, None);
/// deframer.end()?;
/// # Ok::<(), Status>(())
/// ```
#[derive(Debug, Default)]
pub struct Deframer {
    framing: Framing,
    buffer: Vec<u8>,
    /// Last message that arrived compressed, decompressed.
    plain: Vec<u8>,
    /// Offset of the next message's prefix.
    start: usize,
    /// Offset of the first prefix that has not been checked; past the end of the buffer while a
    /// checked message is incomplete.
    checked: usize,
    /// True if the last message returned arrived compressed.
    compressed: bool,
    failure: Option<Status>,
}

impl Deframer {
    /// Creates a deframer for messages of up to `limit` bytes. It owns no memory until bytes
    /// arrive.
    pub fn new(limit: usize) -> Self {
        Self {
            framing: Framing::plain(limit),
            ..Self::default()
        }
    }

    /// Sets the encoding of messages that have the compressed flag; call it before the first bytes.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.framing.encoding = encoding;
    }

    /// Takes the next piece of the body. Of a message over the limit only this piece is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        self.reclaim();
        append(&mut self.buffer, bytes);
        while let Some(prefix) = self
            .buffer
            .get(self.checked..)
            .and_then(<[u8]>::first_chunk)
        {
            match self.framing.check(prefix) {
                Ok(len) => self.checked += PREFIX_BYTES + len,
                Err(status) => {
                    self.buffer.truncate(self.checked);
                    self.failure = Some(status);
                    return;
                }
            }
        }
        self.reserve();
    }

    /// Returns the next complete message.
    ///
    /// # Errors
    /// As [`Framing::split`], once the messages ahead of the broken one are out; then again at
    /// every call. As [`Framing::open`] for a compressed message.
    #[expect(
        clippy::should_implement_trait,
        reason = "an item borrows from the deframer"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Status> {
        let Some((frame, rest)) = self.framing.split(&self.buffer[self.start..])? else {
            return match &self.failure {
                Some(status) => Err(status.clone()),
                None => Ok(None),
            };
        };
        self.start = self.buffer.len() - rest.len();
        self.compressed = frame.compressed;
        if !frame.compressed {
            return Ok(Some(frame.bytes));
        }
        self.framing.open(frame, &mut self.plain).map(Some)
    }

    /// Marks the last message as read, so that the memory it was decompressed into is freed before
    /// the next message is requested, which may be long after.
    pub fn done(&mut self) {
        self.plain.clear();
        self.plain.shrink_to(PLAIN_BYTES_KEPT);
    }

    /// Returns `true` if the last message from [`Deframer::next`] arrived compressed.
    pub fn was_compressed(&self) -> bool {
        self.compressed
    }

    /// Returns `true` if [`Deframer::next`] has a message or an error to return.
    pub fn has_message(&self) -> bool {
        let split = self.framing.split(&self.buffer[self.start..]);
        !matches!(split, Ok(None)) || self.failure.is_some()
    }

    /// Returns the number of bytes that must arrive before [`Deframer::next`] returns a message,
    /// prefix included; 0 if it can return one now.
    pub fn missing(&self) -> usize {
        match self.has_message() {
            true => 0,
            false => missing(&self.buffer[self.start..]),
        }
    }

    /// Returns the number of bytes received that were not returned as messages, prefixes included.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Returns `true` if nothing is buffered and nothing has failed.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len() && self.failure.is_none()
    }

    /// Returns `true` if the bytes so far end inside a message.
    pub fn midway(&self) -> bool {
        self.checked != self.buffer.len()
    }

    /// Returns the memory kept for messages, in bytes.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity() + self.plain.capacity()
    }

    /// Frees the buffers while they are empty, unless they are small: a call that once had a large
    /// message may be idle for long.
    pub fn rest(&mut self) {
        if self.start != self.buffer.len() {
            return;
        }
        if self.buffer.capacity() > CAPACITY_KEPT {
            self.buffer = Vec::new();
            self.start = 0;
            self.checked = 0;
        }
        if self.plain.capacity() > CAPACITY_KEPT {
            self.plain = Vec::new();
        }
    }

    /// Marks the end of the body.
    ///
    /// # Errors
    /// INTERNAL when they ended inside a message.
    pub fn end(&self) -> Result<(), Status> {
        match self.midway() {
            false => Ok(()),
            true => Err(Status::internal("the stream ended inside a message")),
        }
    }

    /// Moves the remaining bytes to the front, once they are fewer than those already read.
    fn reclaim(&mut self) {
        let left = self.buffer.len() - self.start;
        if self.start > left || left == 0 {
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(left);
            self.checked -= self.start;
            self.start = 0;
        }
    }

    /// Reserves memory for the rest of a message, once a fair share has arrived. Otherwise a prefix
    /// of five bytes could make this end allocate a whole message.
    fn reserve(&mut self) {
        let missing = self.checked.saturating_sub(self.buffer.len());
        if missing / RESERVE_SHARE <= self.buffer.len() - self.start {
            self.buffer.reserve_exact(missing);
        }
    }
}

#[cfg(test)]
mod tests;
