//! What tasks leave for their connection, and the touch that makes it look.

use std::cell::{Cell, RefCell};
use std::mem;

use corespun_codec::message::{PREFIX_BYTES, Sending};
use corespun_codec::pipe::Doorbell;
use corespun_codec::{Encoding, MessageBytes, Response, ResponseParts, Status};
use corespun_http2::StreamKey;
use corespun_runtime::{SocketHandle, give_buffer, take_buffer};
use prost::Message;

/// A unary call that had to wait and is done: its framed message, or its status.
pub(crate) struct Completion {
    pub(crate) stream: StreamKey,
    pub(crate) outcome: Result<Framed, Status>,
}

/// An encoded message behind its prefix, with the metadata around it.
pub(crate) struct Framed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) encoding: Encoding,
    /// Of the message alone, for those who count.
    pub(crate) size: MessageBytes,
    pub(crate) parts: Option<Box<ResponseParts>>,
}

impl Framed {
    /// Encodes a response as the call's form and the response itself ask for.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when the message is over the limit on those to send.
    pub(crate) fn new<R: Message>(response: Response<R>, sending: Sending) -> Result<Self, Status> {
        let framing = sending.choose(response.encoding());
        let (message, parts) = response.into_parts();
        let mut bytes = take_buffer();
        if let Err(status) = framing.encode(&message, &mut bytes) {
            give_buffer(bytes);
            return Err(status);
        }
        let size = MessageBytes {
            plain: message.encoded_len(),
            wire: bytes.len() - PREFIX_BYTES,
        };
        Ok(Self {
            bytes,
            size,
            encoding: framing.encoding,
            parts,
        })
    }
}

/// One per connection, shared with the tasks of its calls.
pub(crate) struct Bell {
    socket: SocketHandle,
    rung: RefCell<Vec<u64>>,
    completions: RefCell<Vec<Completion>>,
    /// Bytes of request messages that wait for interceptors.
    kept_bytes: Cell<usize>,
}

impl Bell {
    pub(crate) fn new(socket: SocketHandle) -> Self {
        Self {
            socket,
            rung: RefCell::default(),
            completions: RefCell::default(),
            kept_bytes: Cell::new(0),
        }
    }

    /// Counts a request message that waits for interceptors.
    pub(crate) fn keep(&self, bytes: usize) {
        self.kept_bytes.set(self.kept_bytes.get() + bytes);
    }

    /// Counts it no longer.
    pub(crate) fn keep_no_more(&self, bytes: usize) {
        self.kept_bytes.set(self.kept_bytes.get() - bytes);
    }

    /// Bytes of request messages that wait for interceptors.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes.get()
    }

    /// The socket that it touches.
    pub(crate) fn socket(&self) -> SocketHandle {
        self.socket
    }

    pub(crate) fn complete(&self, completion: Completion) {
        self.completions.borrow_mut().push(completion);
        self.socket.touch();
    }

    pub(crate) fn take_completions(&self) -> Vec<Completion> {
        mem::take(&mut self.completions.borrow_mut())
    }

    /// Exchanges what was rung with `scratch`, which is empty.
    pub(crate) fn swap_rung(&self, scratch: &mut Vec<u64>) {
        debug_assert!(scratch.is_empty());
        mem::swap(&mut *self.rung.borrow_mut(), scratch);
    }

    /// Asks for another turn of the connection.
    pub(crate) fn touch(&self) {
        self.socket.touch();
    }
}

impl Doorbell for Bell {
    fn ring(&self, token: u64) {
        self.rung.borrow_mut().push(token);
        self.socket.touch();
    }
}
