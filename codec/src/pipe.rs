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
//! for messages that were read. A message that is larger than the window is the connection's
//! affair, which asks for what is [`Pipe::missing`].

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

/// How a pipe tells its connection that there is something to do for a call.
pub trait Doorbell {
    /// There is output, credit or an end under `token`.
    fn ring(&self, token: u64);
}

/// Hears what passes through a pipe.
pub trait Tap {
    /// A message was read.
    fn received(&self, message: MessageBytes);

    /// A message was written.
    fn sent(&self, message: MessageBytes);

    /// The reader has read the end, or was dropped (client): once, and the last to be told.
    fn ended(&self, outcome: Result<(), &Status>) {
        let _ = outcome;
    }
}

/// Which end of the call the connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The writing side ends when the handler returns, by its [`Finisher`].
    Server,
    /// The writing side ends when the sender is dropped.
    Client,
}

/// Everything both ends share.
pub(crate) struct State {
    side: Side,
    deframer: Deframer,
    /// Bytes received whose credit has not been given back.
    held: usize,
    /// Credit that the connection may give back.
    credit: usize,
    /// The peer's metadata, once its head has come (client).
    head: Option<MetadataMap>,
    /// How the peer ended: trailers, or the status to report after the last message.
    end: Option<Result<MetadataMap, Status>>,
    /// The call is over; nothing more is read or written.
    failure: Option<Status>,
    reader: Option<Waker>,
    reader_gone: bool,
    /// What comes is dropped, and its credit given back at once.
    deaf: bool,
    output: Output,
    sending: Sending,
    /// Messages go out as [`State::sending`] says, else plain.
    compresses: bool,
    /// Metadata to go ahead of the first message, until it has gone.
    initial: Option<MetadataMap>,
    /// The head is not to wait for the first message.
    head_due: bool,
    /// Metadata to go with the status (server).
    trailers: MetadataMap,
    /// Messages that were read and written since this was last asked for.
    passed: (u32, u32),
    /// The writing side is done.
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

    /// Rings once until the connection has answered.
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

    /// Nobody reads any more. What is held gives its credit back now: the call may go on for long,
    /// and its connection's other calls share the window.
    fn stop_reading(&mut self) {
        self.deaf = true;
        self.deframer = Deframer::default();
        self.credit += std::mem::take(&mut self.held);
        if self.credit > 0 {
            self.ring();
        }
    }

    /// The head is not to wait for the first message.
    fn send_head(&mut self) {
        if self.initial.is_some() && !self.head_due {
            self.head_due = true;
            self.ring();
        }
    }

    /// How the call ends for a reader that reads no further.
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

/// The connection's end of a streaming call.
pub struct Pipe {
    state: Rc<RefCell<State>>,
}

impl Pipe {
    /// A pipe for messages of up to `message_bytes_max`; `token` is what the bell is rung with.
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

    /// Says what the peer's messages are compressed as, and how ours may be.
    pub fn set_framing(&self, receiving: Encoding, sending: Sending) {
        let mut state = self.state();
        state.deframer.set_encoding(receiving);
        state.sending = sending;
    }

    /// Lets `tap` hear of the messages from now on.
    pub fn set_tap(&self, tap: Rc<dyn Tap>) {
        self.state().tap = Some(tap);
    }

    fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// The end that writes messages of type `T`.
    pub fn sender<T>(&self) -> Sender<T> {
        Sender::new(Rc::clone(&self.state))
    }

    /// The end that reads messages of type `T`.
    pub fn streaming<T>(&self) -> Streaming<T> {
        Streaming::new(Rc::clone(&self.state))
    }

    /// Takes body bytes; returns those whose credit goes back to the peer at once, because nobody
    /// will read them.
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

    /// Returns how many bytes must come before the reader has anything to read; 0 if it has.
    pub fn missing(&self) -> usize {
        let state = self.state.borrow();
        match state.deaf || state.failure.is_some() || state.end.is_some() {
            true => 0,
            false => state.deframer.missing(),
        }
    }

    /// The peer's head came, with its metadata and what its messages are compressed as (client).
    pub fn receive_head(&self, metadata: MetadataMap, encoding: Encoding) {
        let mut state = self.state();
        state.deframer.set_encoding(encoding);
        state.head = Some(metadata);
        state.wake_reader();
    }

    /// The peer has ended: the reader gets the messages that are left, then this.
    pub fn end(&self, end: Result<MetadataMap, Status>) {
        let mut state = self.state();
        let end = end.and_then(|trailers| state.deframer.end().map(|()| trailers));
        state.end.get_or_insert(end);
        state.wake_reader();
        state.wake_writer();
    }

    /// The call is over: both ends report `status` at once.
    pub fn fail(&self, status: Status) {
        let mut state = self.state();
        state.failure.get_or_insert(status);
        state.output.discard();
        state.wake_reader();
        state.wake_writer();
    }

    /// Answers the bell: it may ring again from now on. The credit to give back to the peer.
    pub fn answer(&self) -> usize {
        let mut state = self.state();
        state.rung = false;
        std::mem::take(&mut state.credit)
    }

    /// Metadata to send ahead of the first message, and what the messages are compressed as;
    /// `None` once it was taken.
    pub fn take_initial(&self) -> Option<(MetadataMap, Encoding)> {
        let mut state = self.state();
        let encoding = state.sending.framing.encoding;
        state.initial.take().map(|metadata| (metadata, encoding))
    }

    /// The head is to be sent now.
    pub fn wants_head(&self) -> bool {
        let state = self.state.borrow();
        state.initial.is_some() && (state.head_due || !state.output.bytes.is_empty())
    }

    /// The same end once more, for a task that starts the handler later.
    pub fn share(&self) -> Self {
        Self {
            state: Rc::clone(&self.state),
        }
    }

    /// Framed messages wait to be sent.
    pub fn has_output(&self) -> bool {
        !self.state.borrow().output.bytes.is_empty()
    }

    /// Gives the framed messages to `send`, which may give the buffer back. [`Pipe::pace`] is to
    /// follow.
    pub fn take_output(&self, send: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let mut state = self.state();
        let spare = send(std::mem::take(&mut state.output.bytes));
        state.output.bytes = spare.unwrap_or_default();
        state.output.bytes.clear();
    }

    /// Lets the writer go on as far as the windows do: `queued` bytes of this call wait for them
    /// in the connection, and `sendable` more could go out now.
    pub fn pace(&self, queued: usize, sendable: usize) {
        let state = &mut *self.state();
        if state.output.pace(queued, sendable) && state.writer.is_some() {
            state.output.reserve();
            state.wake_writer();
        }
    }

    /// How many messages were read, and how many written, since this was last asked for.
    pub fn take_passed(&self) -> (u32, u32) {
        std::mem::take(&mut self.state().passed)
    }

    /// How the writing side ended, with the metadata to go with it, once it did and all output
    /// was taken.
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

    /// The writing side is done and what is in the output is the last.
    pub fn is_finishing(&self) -> bool {
        self.state.borrow().finished.is_some()
    }

    /// The reading side was dropped before the end: the call is no longer wanted (client).
    pub fn is_abandoned(&self) -> bool {
        let state = self.state.borrow();
        state.reader_gone && state.end.is_none()
    }

    /// The handler returned: its outcome goes out behind its messages (server).
    pub fn finisher(&self) -> Finisher {
        Finisher {
            state: Rc::clone(&self.state),
        }
    }
}

/// How the writing side of a call ended.
pub struct Finish {
    /// What the handler returned.
    pub outcome: Result<(), Status>,
    /// What goes with the status.
    pub trailers: MetadataMap,
    /// The deadline has passed: nobody waits for what may still be queued.
    pub overdue: bool,
}

/// Ends the writing side with a status; held by the task that runs a handler. Dropped unused, it
/// ends it with UNKNOWN, so that no caller waits for a handler that is gone.
pub struct Finisher {
    state: Rc<RefCell<State>>,
}

impl Finisher {
    /// The outcome of the handler.
    pub fn finish(self, outcome: Result<(), Status>) {
        let mut state = self.state.borrow_mut();
        state.finished.get_or_insert(outcome);
        state.ring();
    }

    /// The deadline has passed: messages that wait are dropped, for their reader has gone.
    pub fn expire(self, status: Status) {
        let mut state = self.state.borrow_mut();
        state.output.discard();
        state.overdue = true;
        state.finished.get_or_insert(Err(status));
        state.ring();
    }

    /// The response of a client-streaming call.
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
