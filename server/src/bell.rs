//! Completed work that tasks leave for their connection, and the wakeup that makes the connection
//! collect it.

use std::cell::{Cell, RefCell};
use std::mem;

use corespun_codec::message::{PREFIX_BYTES, Sending};
use corespun_codec::pipe::Doorbell;
use corespun_codec::{Encoding, MessageBytes, Response, ResponseParts, Status};
use corespun_http2::StreamKey;
use corespun_runtime::{SocketHandle, give_buffer, take_buffer};
use prost::Message;

/// Result of a unary call that ran as a task: its framed message, or its status.
pub(crate) struct Completion {
    pub(crate) stream: StreamKey,
    pub(crate) outcome: Result<Framed, Status>,
}

/// Encoded message with its five-byte prefix, and the metadata before and after it.
pub(crate) struct Framed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) encoding: Encoding,
    /// Size of the message alone, for observers.
    pub(crate) size: MessageBytes,
    pub(crate) parts: Option<Box<ResponseParts>>,
}

impl Framed {
    /// Encodes a response in the form that the call and the response ask for.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED when the message exceeds the limit on sent messages.
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

/// Wakeup list of one connection, shared with the tasks of its calls.
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

    /// Stops counting a request message that waited for interceptors.
    pub(crate) fn keep_no_more(&self, bytes: usize) {
        self.kept_bytes.set(self.kept_bytes.get() - bytes);
    }

    /// Returns the number of bytes of request messages that wait for interceptors.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes.get()
    }

    /// Returns the socket that the bell wakes.
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

    /// Swaps the list of stream tokens that asked for service with `scratch`, which is empty.
    pub(crate) fn swap_rung(&self, scratch: &mut Vec<u64>) {
        debug_assert!(scratch.is_empty());
        mem::swap(&mut *self.rung.borrow_mut(), scratch);
    }

    /// Requests another turn of the connection.
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
