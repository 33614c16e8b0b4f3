//! Writing end of a pipe.

use std::cell::RefCell;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_core::Stream;
use prost::Message;

use super::{Side, State};
use crate::message::Framing;
use crate::{Encoding, MetadataMap, Status};

/// Writes the messages of one side of a streaming call, at the pace at which the peer takes them.
///
/// On a server the call ends when the handler returns; on a client the requests end when the
/// sender is dropped or [`Sender::finish`]ed.
pub struct Sender<T> {
    state: Rc<RefCell<State>>,
    types: PhantomData<fn(T)>,
}

impl<T> Sender<T> {
    pub(super) fn new(state: Rc<RefCell<State>>) -> Self {
        Self {
            state,
            types: PhantomData,
        }
    }

    /// Changes the metadata that is sent before the first message. Returns `false` if it has been
    /// sent.
    pub fn with_metadata(&mut self, change: impl FnOnce(&mut MetadataMap)) -> bool {
        match &mut self.state.borrow_mut().initial {
            Some(metadata) => {
                change(metadata);
                true
            }
            None => false,
        }
    }

    /// Sends the head with its metadata now instead of with the first message, for callers that
    /// wait for it (server). After that an error no longer replaces the whole response, which is
    /// what a caller's retry policy depends on.
    pub fn send_headers(&mut self) {
        self.state.borrow_mut().send_head();
    }

    /// Sets the encoding of the messages ([`Encoding::Identity`] for none), whatever the server's
    /// settings are. Returns `false` and changes nothing if the peer does not accept that encoding,
    /// or if the head, which states the encoding, has been sent. On a client it is always `false`,
    /// because the request has stated the encoding.
    pub fn set_encoding(&mut self, encoding: Encoding) -> bool {
        let mut state = self.state.borrow_mut();
        let possible = state.side == Side::Server
            && state.initial.is_some()
            && state.output.bytes.is_empty()
            && state.sending.accepted.contains(encoding);
        if possible {
            state.sending.framing.encoding = encoding;
        }
        possible
    }

    /// Turns compression of later messages on or off, if the call is compressed at all. Turn it off
    /// for a secret, which an observer could otherwise guess from the length of a message.
    pub fn set_compression(&mut self, on: bool) {
        self.state.borrow_mut().compresses = on;
    }

    /// Changes the metadata that is sent with the status (server).
    pub fn with_trailers(&mut self, change: impl FnOnce(&mut MetadataMap)) {
        change(&mut self.state.borrow_mut().trailers);
    }

    /// Returns `true` if the server has ended the call with OK before the last message (client).
    pub fn is_answered(&self) -> bool {
        let state = self.state.borrow();
        state.side == Side::Client && matches!(state.end, Some(Ok(_)))
    }

    /// Returns the number of bytes, including 5 for each message, that can be sent before
    /// [`Sender::send`] waits: up to 64 KiB while the peer reads, up to 8 KiB while it does not.
    /// Handlers that read a store need not fetch more rows than that.
    pub fn room(&self) -> usize {
        self.state.borrow().output.room()
    }

    /// Ends the messages.
    pub fn finish(self) {}
}

impl<T: Message> Sender<T> {
    /// Sends a message, once it fits in what may wait for the peer ([`Sender::room`]). A message
    /// of any size fits if less than half of that is taken.
    ///
    /// # Errors
    /// The status that the call ended with: the peer cancelled, the deadline passed, the
    /// connection was lost. A client gets the server's status here when the server ended first,
    /// CANCELLED when that status is OK. RESOURCE_EXHAUSTED when the message is over the limit on
    /// messages to send; it is left out then.
    pub async fn send(&mut self, message: T) -> Result<(), Status> {
        poll_fn(|context| {
            let mut cell = self.state.borrow_mut();
            let state = &mut *cell;
            if let Some(status) = &state.failure {
                return Poll::Ready(Err(status.clone()));
            }
            match &state.end {
                Some(Err(status)) => return Poll::Ready(Err(status.clone())),
                Some(Ok(_)) if state.side == Side::Client => {
                    let text = "the server has ended the call and accepts no more messages";
                    return Poll::Ready(Err(Status::cancelled(text)));
                }
                _ => {}
            }
            if !state.output.admits(|| message.encoded_len()) {
                state.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            let framing = match state.compresses {
                true => state.sending.framing,
                false => Framing::plain(state.sending.framing.bytes_max),
            };
            let encoded = state.write(framing, &message);
            state.ring();
            Poll::Ready(encoded)
        })
        .await
    }

    /// Sends every message of a stream; an error in it ends the call. For handlers that were
    /// written to return a stream.
    ///
    /// # Errors
    /// As [`Sender::send`], or the stream's own.
    pub async fn send_all(
        &mut self,
        stream: impl Stream<Item = Result<T, Status>>,
    ) -> Result<(), Status> {
        let mut stream = pin!(stream);
        while let Some(message) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            self.send(message?).await?;
        }
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.state.borrow_mut().writer_dropped();
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
