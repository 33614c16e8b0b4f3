//! Reading end of a pipe.

use std::cell::RefCell;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use prost::Message;

use super::{Side, State, Tap};
use crate::message::{self, PREFIX_BYTES};
use crate::{Draining, Extensions, MessageBytes, MetadataMap, RequestParts, Status};

/// Reads the messages of one side of a streaming call, in order.
pub struct Streaming<T> {
    state: Rc<RefCell<State>>,
    parts: RequestParts,
    /// Metadata received before the messages (client).
    metadata: MetadataMap,
    /// Trailing metadata (client).
    trailers: MetadataMap,
    ended: bool,
    types: PhantomData<fn() -> T>,
}

impl<T> Streaming<T> {
    pub(super) fn new(state: Rc<RefCell<State>>) -> Self {
        Self {
            state,
            parts: RequestParts::default(),
            metadata: MetadataMap::new(),
            trailers: MetadataMap::new(),
            ended: false,
            types: PhantomData,
        }
    }

    /// Adds the parts of the request to the stream (server).
    pub fn with_parts(mut self, parts: RequestParts) -> Self {
        self.parts = parts;
        self
    }

    /// Returns the metadata received before the messages: the caller's on a server, the server's on
    /// a client. On a client it is there once the first message is.
    pub fn metadata(&self) -> &MetadataMap {
        match &self.parts.head {
            Some(head) => &head.metadata,
            None => &self.metadata,
        }
    }

    /// Returns the metadata received with the status, once the stream has ended (client).
    pub fn trailers(&self) -> &MetadataMap {
        &self.trailers
    }

    /// Returns the moment by which the call must have ended, as a time since the epoch of the
    /// process (server).
    pub fn deadline(&self) -> Option<Duration> {
        self.parts.deadline
    }

    /// Returns the address of the caller (server).
    pub fn peer(&self) -> Option<&str> {
        self.parts.head.as_ref()?.peer.as_deref()
    }

    /// Returns the values that interceptors added to the request.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// Returns a future that is ready once the connection of the call drains, so that a long call
    /// can end by itself (server).
    pub fn draining(&self) -> Draining {
        let head = self.parts.head.as_ref();
        head.map_or_else(Draining::default, |head| head.draining())
    }

    /// Changes the metadata that is sent before the response (server). Returns `false` if it has
    /// been sent. Metadata of the response itself is added after it.
    pub fn with_response_metadata(&mut self, change: impl FnOnce(&mut MetadataMap)) -> bool {
        match &mut self.state.borrow_mut().initial {
            Some(metadata) => {
                change(metadata);
                true
            }
            None => false,
        }
    }

    /// Sends the head with that metadata now instead of with the response, for callers that wait
    /// for it before they send more (server). From then on an error no longer comes in place of a
    /// response, and metadata of the response is left out.
    ///
    /// ```
    /// # use corespun_codec::{MetadataError, Response, Status, Streaming};
    /// async fn upload(parts: &mut Streaming<String>) -> Result<Response<String>, Status> {
    ///     parts.with_response_metadata(|map| map.append("x-upload", "42").unwrap());
    ///     parts.send_headers();
    ///     while let Some(part) = parts.message().await? {
    ///         // …
    /// #       drop(part);
    ///     }
    ///     Ok(Response::new("stored".to_owned()))
    /// }
    /// ```
    pub fn send_headers(&mut self) {
        let mut state = self.state.borrow_mut();
        if state.side == Side::Server {
            state.send_head();
        }
    }

    /// Sets the observer of the messages from now on.
    pub fn set_tap(&self, tap: Rc<dyn Tap>) {
        self.state.borrow_mut().tap = Some(tap);
    }

    /// Returns `true` if the last message arrived compressed.
    pub fn is_compressed(&self) -> bool {
        self.state.borrow().deframer.was_compressed()
    }

    /// Waits for the peer's head (client).
    ///
    /// # Errors
    /// The status that the call ended with, if that came instead.
    pub async fn wait_for_head(&mut self) -> Result<(), Status> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if let Some(status) = &state.failure {
                return Poll::Ready(Err(status.clone()));
            }
            if let Some(metadata) = state.head.take() {
                self.metadata = metadata;
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &state.end {
                return Poll::Ready(end.as_ref().map(|_| ()).map_err(Status::clone));
            }
            state.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T: Message + Default> Streaming<T> {
    /// Returns the next message; `None` once the peer has ended without an error.
    ///
    /// # Errors
    /// The status that the call ended with, or INTERNAL when a message is malformed. After an
    /// error or the end, `None` at every call.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|context| self.poll_message(context)).await
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<T>, Status>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let polled = self.poll_next_message(context);
        if self.ended {
            let outcome = match &polled {
                Poll::Ready(Err(status)) => Err(status),
                _ => Ok(()),
            };
            self.tell_end(outcome);
        }
        polled
    }

    fn poll_next_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<T>, Status>> {
        let mut cell = self.state.borrow_mut();
        let state = &mut *cell;
        if let Some(status) = &state.failure {
            self.ended = true;
            return Poll::Ready(Err(status.clone()));
        }
        if let Some(metadata) = state.head.take() {
            self.metadata = metadata;
        }
        let before = state.deframer.buffered_bytes();
        let mut plain = 0;
        let decoded = match state.deframer.next() {
            Ok(Some(bytes)) => {
                plain = bytes.len();
                message::decode(bytes)
            }
            Ok(None) => match state.end.take() {
                Some(Ok(trailers)) => {
                    self.trailers = trailers.clone();
                    state.end = Some(Ok(trailers));
                    self.ended = true;
                    return Poll::Ready(Ok(None));
                }
                Some(Err(status)) => {
                    state.end = Some(Err(status.clone()));
                    Err(status)
                }
                None => {
                    state.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
            },
            Err(status) => Err(status),
        };
        match decoded {
            Ok(message) => {
                state.passed.0 += 1;
                state.deframer.done();
                let taken = before - state.deframer.buffered_bytes();
                if let Some(tap) = &state.tap {
                    let wire = taken - PREFIX_BYTES;
                    tap.received(MessageBytes { plain, wire });
                }
                state.settle(taken);
                if state.credit > 0 {
                    state.ring();
                }
                Poll::Ready(Ok(Some(message)))
            }
            Err(status) => {
                self.ended = true;
                state.stop_reading();
                Poll::Ready(Err(status))
            }
        }
    }
}

impl<T: Message + Default> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(context).map(Result::transpose)
    }
}

impl<T> Streaming<T> {
    /// Reports the outcome of the call to the observer, outside of the state's borrow: the
    /// observer's code may reach the other half of this call.
    fn tell_end(&self, outcome: Result<(), &Status>) {
        let mut state = self.state.borrow_mut();
        if state.side == Side::Server {
            // There the handler's end is the call's, and more may be written until then.
            return;
        }
        let tap = state.tap.take();
        drop(state);
        if let Some(tap) = tap {
            tap.ended(outcome);
        }
    }
}

impl<T> Drop for Streaming<T> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.reader_gone = true;
        state.stop_reading();
        if state.end.is_none() && state.failure.is_none() {
            state.ring();
        }
        if state.tap.is_some() {
            let outcome = state.outcome_so_far();
            drop(state);
            self.tell_end(outcome.as_ref().copied());
        }
    }
}

impl<T> std::fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
