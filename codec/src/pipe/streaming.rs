//! The reading end.

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
    /// What came ahead of the messages (client).
    metadata: MetadataMap,
    /// What came behind them (client).
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

    /// The same stream with what came with its request (server).
    pub fn with_parts(mut self, parts: RequestParts) -> Self {
        self.parts = parts;
        self
    }

    /// What came ahead of the messages: the caller's metadata on a server; on a client the
    /// server's, which is there once the first message is.
    pub fn metadata(&self) -> &MetadataMap {
        match &self.parts.head {
            Some(head) => &head.metadata,
            None => &self.metadata,
        }
    }

    /// What came with the status, once the stream has ended (client).
    pub fn trailers(&self) -> &MetadataMap {
        &self.trailers
    }

    /// When the call must have ended, as a time since the epoch of the process (server).
    pub fn deadline(&self) -> Option<Duration> {
        self.parts.deadline
    }

    /// Who calls (server).
    pub fn peer(&self) -> Option<&str> {
        self.parts.head.as_ref()?.peer.as_deref()
    }

    /// What was added to the request on its way.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// Is ready once the connection drains that the call came on, so that a call which lasts can
    /// come to an end of its own (server).
    pub fn draining(&self) -> Draining {
        let head = self.parts.head.as_ref();
        head.map_or_else(Draining::default, |head| head.draining())
    }

    /// Changes the metadata that goes ahead of the response (server); false when it has gone. What
    /// the response itself brings comes behind it.
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

    /// Lets `tap` hear of the messages from now on.
    pub fn set_tap(&self, tap: Rc<dyn Tap>) {
        self.state.borrow_mut().tap = Some(tap);
    }

    /// Whether the last message came compressed; how well callers compress is what one may want to
    /// know.
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
    /// The next message; `None` when the peer has ended well.
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
    /// Tells whoever listens how the call has ended, outside of the state's borrow: what they do
    /// then may end in the other half of this call.
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
