//! The messages of one streaming call, between its connection and its handler or caller.
//!
//! The connection holds the [`Pipe`]: it puts bytes in as they come and takes bytes out as the
//! windows admit. The other end holds a [`Streaming`] to read messages from and a [`Sender`] to
//! write messages to. All live on one shard and share one cell; neither end calls the other: it
//! rings the connection's [`Doorbell`], or wakes the waiting task.
//!
//! ```text
//!   connection: Pipe::receive ──▶ [ deframer ] ──▶ Streaming::message
//!   connection: Pipe::take_output ◀── [ framed bytes ] ◀── Sender::send
//! ```
//!
//! Both directions are bounded: a sender waits while [`OUTPUT_BYTES_HIGH`] bytes are queued, or
//! [`OUTPUT_BYTES_STALLED`] if the peer's windows are closed, and the peer gets credit back only
//! for messages that were read. For a message larger than the window the connection requests the
//! bytes that are [`Pipe::missing`].

mod output;
mod sender;
mod streaming;

pub use output::{OUTPUT_BYTES_HIGH, OUTPUT_BYTES_STALLED};
pub use sender::Sender;
pub use streaming::Streaming;

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::task::Waker;

use prost::Message;

use self::output::Output;
use crate::message::{Deframer, Framing, PREFIX_BYTES, Sending};
use crate::{Encoding, MessageBytes, MetadataMap, Response, Status};

/// Signal from a pipe to its connection that a call has work to do.
pub trait Doorbell {
    /// Called when there is output, credit or an end for the call with `token`.
    fn ring(&self, token: u64);
}

/// Observer of the messages that pass through a pipe.
pub trait Tap {
    /// Called when a message was read.
    fn received(&self, message: MessageBytes);

    /// Called when a message was written.
    fn sent(&self, message: MessageBytes);

    /// Called once, as the last of these methods, when the reader has read the end or was dropped
    /// (client).
    fn ended(&self, outcome: Result<(), &Status>) {
        let _ = outcome;
    }
}

/// Side of the call that the connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server: the writing side ends when the handler returns, by its [`Finisher`].
    Server,
    /// The client: the writing side ends when the sender is dropped.
    Client,
}

/// State that both ends share.
pub(crate) struct State {
    side: Side,
    deframer: Deframer,
    /// Number of bytes received whose credit has not been returned.
    held: usize,
    /// Number of bytes of credit that the connection may return to the peer.
    credit: usize,
    /// Metadata of the peer, once its head has arrived (client).
    head: Option<MetadataMap>,
    /// End of the peer's side: trailers, or the status to report after the last message.
    end: Option<Result<MetadataMap, Status>>,
    /// Status of a call that is over: nothing more is read or written.
    failure: Option<Status>,
    reader: Option<Waker>,
    reader_gone: bool,
    /// True if received bytes are dropped and their credit is returned at once.
    deaf: bool,
    output: Output,
    sending: Sending,
    /// True if messages are sent as [`State::sending`] says, false if uncompressed.
    compresses: bool,
    /// Metadata to send before the first message, until it is sent.
    initial: Option<MetadataMap>,
    /// True if the head must not wait for the first message.
    head_due: bool,
    /// Metadata to send with the status (server).
    trailers: MetadataMap,
    /// Numbers of messages read and written since the last [`Pipe::take_passed`].
    passed: (u32, u32),
    /// Result of the writing side, once it is done.
    finished: Option<Result<(), Status>>,
    overdue: bool,
    writer: Option<Waker>,
    rung: bool,
    bell: Rc<dyn Doorbell>,
    token: u64,
    tap: Option<Rc<dyn Tap>>,
}

impl State {
    /// Encodes a message into the output.
    fn write<M: Message>(&mut self, framing: Framing, message: &M) -> Result<(), Status> {
        let start = self.output.bytes.len();
        let encoded = framing.encode(message, &mut self.output.bytes);
        self.passed.1 += u32::from(encoded.is_ok());
        if let Some(tap) = &self.tap
            && encoded.is_ok()
        {
            let wire = self.output.bytes.len() - start - PREFIX_BYTES;
            let plain = message.encoded_len();
            tap.sent(MessageBytes { plain, wire });
        }
        encoded
    }

    /// Rings the bell, unless it rang already and the connection has not answered.
    fn ring(&mut self) {
        if !self.rung {
            self.rung = true;
            self.bell.ring(self.token);
        }
    }

    /// Turns `bytes` that were read into credit.
    fn settle(&mut self, bytes: usize) {
        let released = bytes.min(self.held);
        self.held -= released;
        self.credit += released;
        self.deframer.rest();
    }

    /// Stops reading. The credit of held bytes is returned now: the call may go on for long, and
    /// its connection's other calls share the window.
    fn stop_reading(&mut self) {
        self.deaf = true;
        self.deframer = Deframer::default();
        self.credit += std::mem::take(&mut self.held);
        if self.credit > 0 {
            self.ring();
        }
    }

    /// Requests that the head is sent without waiting for the first message.
    fn send_head(&mut self) {
        if self.initial.is_some() && !self.head_due {
            self.head_due = true;
            self.ring();
        }
    }

    /// Returns the outcome of the call for a reader that reads no further.
    fn outcome_so_far(&self) -> Result<(), Status> {
        match (&self.failure, &self.end) {
            (Some(status), _) | (None, Some(Err(status))) => Err(status.clone()),
            (None, Some(Ok(_))) => Ok(()),
            (None, None) => Err(Status::cancelled("the call was dropped before its end")),
        }
    }

    fn writer_dropped(&mut self) {
        if self.side == Side::Client && self.finished.is_none() && self.failure.is_none() {
            self.finished = Some(Ok(()));
            self.ring();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// Connection's end of a streaming call.
pub struct Pipe {
    state: Rc<RefCell<State>>,
}

impl Pipe {
    /// Creates a pipe for messages of up to `message_bytes_max`; `token` is passed to the bell.
    pub fn new(side: Side, message_bytes_max: usize, bell: Rc<dyn Doorbell>, token: u64) -> Self {
        let state = State {
            side,
            deframer: Deframer::new(message_bytes_max),
            held: 0,
            credit: 0,
            head: None,
            end: None,
            failure: None,
            reader: None,
            reader_gone: false,
            deaf: false,
            output: Output::default(),
            sending: Sending {
                framing: Framing::plain(usize::MAX),
                ..Sending::default()
            },
            compresses: true,
            initial: Some(MetadataMap::new()),
            head_due: false,
            trailers: MetadataMap::new(),
            passed: (0, 0),
            finished: None,
            overdue: false,
            writer: None,
            rung: false,
            bell,
            token,
            tap: None,
        };
        Self {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// Sets the encoding of the peer's messages, and the encodings that ours may have.
    pub fn set_framing(&self, receiving: Encoding, sending: Sending) {
        let mut state = self.state();
        state.deframer.set_encoding(receiving);
        state.sending = sending;
    }

    /// Sets the observer of the messages from now on.
    pub fn set_tap(&self, tap: Rc<dyn Tap>) {
        self.state().tap = Some(tap);
    }

    fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Returns the end that writes messages of type `T`.
    pub fn sender<T>(&self) -> Sender<T> {
        Sender::new(Rc::clone(&self.state))
    }

    /// Returns the end that reads messages of type `T`.
    pub fn streaming<T>(&self) -> Streaming<T> {
        Streaming::new(Rc::clone(&self.state))
    }

    /// Takes body bytes. Returns the number of bytes whose credit must be returned to the peer at
    /// once, because they will not be read.
    pub fn receive(&self, bytes: &[u8]) -> usize {
        let mut state = self.state();
        if state.deaf || state.failure.is_some() {
            return bytes.len();
        }
        state.held += bytes.len();
        state.deframer.push(bytes);
        if state.deframer.has_message() {
            state.wake_reader();
        }
        std::mem::take(&mut state.credit)
    }

    /// Returns the number of bytes that must arrive before the reader has anything to read; 0 if it
    /// has.
    pub fn missing(&self) -> usize {
        let state = self.state.borrow();
        match state.deaf || state.failure.is_some() || state.end.is_some() {
            true => 0,
            false => state.deframer.missing(),
        }
    }

    /// Handles the peer's head: its metadata, and the encoding of its messages (client).
    pub fn receive_head(&self, metadata: MetadataMap, encoding: Encoding) {
        let mut state = self.state();
        state.deframer.set_encoding(encoding);
        state.head = Some(metadata);
        state.wake_reader();
    }

    /// Handles the end of the peer's side: the reader gets the remaining messages, then this end.
    pub fn end(&self, end: Result<MetadataMap, Status>) {
        let mut state = self.state();
        let end = end.and_then(|trailers| state.deframer.end().map(|()| trailers));
        state.end.get_or_insert(end);
        state.wake_reader();
        state.wake_writer();
    }

    /// Ends the call: both ends report `status` at once.
    pub fn fail(&self, status: Status) {
        let mut state = self.state();
        state.failure.get_or_insert(status);
        state.output.discard();
        state.wake_reader();
        state.wake_writer();
    }

    /// Answers the bell, which may ring again from now on. Returns the credit to give back to the
    /// peer, in bytes.
    pub fn answer(&self) -> usize {
        let mut state = self.state();
        state.rung = false;
        std::mem::take(&mut state.credit)
    }

    /// Returns the metadata to send before the first message, and the encoding of the messages;
    /// `None` once it was taken.
    pub fn take_initial(&self) -> Option<(MetadataMap, Encoding)> {
        let mut state = self.state();
        let encoding = state.sending.framing.encoding;
        state.initial.take().map(|metadata| (metadata, encoding))
    }

    /// Returns `true` if the head must be sent now.
    pub fn wants_head(&self) -> bool {
        let state = self.state.borrow();
        state.initial.is_some() && (state.head_due || !state.output.bytes.is_empty())
    }

    /// Returns another handle of the connection's end, for a task that starts the handler later.
    pub fn share(&self) -> Self {
        Self {
            state: Rc::clone(&self.state),
        }
    }

    /// Returns `true` if framed messages wait to be sent.
    pub fn has_output(&self) -> bool {
        !self.state.borrow().output.bytes.is_empty()
    }

    /// Passes the framed messages to `send`, which may return the buffer. Call [`Pipe::pace`] next.
    pub fn take_output(&self, send: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let mut state = self.state();
        let spare = send(std::mem::take(&mut state.output.bytes));
        state.output.bytes = spare.unwrap_or_default();
        state.output.bytes.clear();
    }

    /// Lets the writer continue as far as the windows admit: `queued` bytes of this call wait for
    /// them in the connection, and `sendable` more could be sent now.
    pub fn pace(&self, queued: usize, sendable: usize) {
        let state = &mut *self.state();
        if state.output.pace(queued, sendable) && state.writer.is_some() {
            state.output.reserve();
            state.wake_writer();
        }
    }

    /// Returns the numbers of messages read and written since the last call.
    pub fn take_passed(&self) -> (u32, u32) {
        std::mem::take(&mut self.state().passed)
    }

    /// Returns the outcome of the writing side with its metadata, once the side has ended and all
    /// output was taken.
    pub fn take_finish(&self) -> Option<Finish> {
        let mut state = self.state();
        if !state.output.bytes.is_empty() {
            return None;
        }
        Some(Finish {
            outcome: state.finished.take()?,
            trailers: std::mem::take(&mut state.trailers),
            overdue: state.overdue,
        })
    }

    /// Returns `true` if the writing side is done, so that the output is the last.
    pub fn is_finishing(&self) -> bool {
        self.state.borrow().finished.is_some()
    }

    /// Returns `true` if the reading side was dropped before the end: the call is no longer needed
    /// (client).
    pub fn is_abandoned(&self) -> bool {
        let state = self.state.borrow();
        state.reader_gone && state.end.is_none()
    }

    /// Returns the handle with which the handler's task ends the writing side (server).
    pub fn finisher(&self) -> Finisher {
        Finisher {
            state: Rc::clone(&self.state),
        }
    }
}

/// Outcome of the writing side of a call.
pub struct Finish {
    /// Result that the handler returned.
    pub outcome: Result<(), Status>,
    /// Metadata to send with the status.
    pub trailers: MetadataMap,
    /// True if the deadline has passed, so that the client no longer waits for queued messages.
    pub overdue: bool,
}

/// Handle that ends the writing side with a status; held by the task that runs a handler. If
/// dropped unused, it ends the call with UNKNOWN, so that no caller waits for a handler that is
/// gone.
pub struct Finisher {
    state: Rc<RefCell<State>>,
}

impl Finisher {
    /// Ends the writing side with the outcome of the handler.
    pub fn finish(self, outcome: Result<(), Status>) {
        let mut state = self.state.borrow_mut();
        state.finished.get_or_insert(outcome);
        state.ring();
    }

    /// Ends the call because its deadline has passed: waiting messages are dropped, because the
    /// client no longer waits for them.
    pub fn expire(self, status: Status) {
        let mut state = self.state.borrow_mut();
        state.output.discard();
        state.overdue = true;
        state.finished.get_or_insert(Err(status));
        state.ring();
    }

    /// Sends the response of a client-streaming call and ends it.
    pub fn respond<M: Message>(self, response: Response<M>) {
        let (message, parts) = response.into_parts();
        let parts = parts.map_or_else(Default::default, |parts| *parts);
        let mut cell = self.state.borrow_mut();
        let state = &mut *cell;
        // A head that has gone said what messages are compressed as, and cannot be added to.
        if let Some(initial) = &mut state.initial {
            initial.append_all(&parts.metadata);
            state.sending.framing = state.sending.choose(parts.encoding);
        }
        let encoded = state.write(state.sending.framing, &message);
        state.trailers = parts.trailers;
        state.finished.get_or_insert(encoded);
        state.ring();
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        if state.finished.is_none() {
            let text = "the handler ended without a status";
            state.finished = Some(Err(Status::unknown(text)));
            state.ring();
        }
    }
}

#[cfg(test)]
mod tests;
