//! Slot in which a unary response is stored for the future that waits for it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use corespun_codec::pipe::Doorbell;
use corespun_codec::{MessageBytes, Response, ResponseParts, Status, message};
use corespun_http2::StreamKey;
use prost::Message;

use crate::bell::Bell;
use crate::call::{Failure, cardinality};

/// Slot of any message type, as the connection uses it.
pub(crate) trait Sink {
    /// Decodes the message directly from the receive buffer; `wire` is its size on the wire in
    /// bytes.
    fn message(&self, bytes: &[u8], wire: usize) -> Result<(), Status>;

    /// Stores the outcome of the call; only the first one counts.
    fn finish(&self, outcome: Result<Option<Box<ResponseParts>>, Failure>);
}

/// Response of one unary call.
pub(crate) struct Slot<R>(RefCell<Content<R>>);

struct Content<R> {
    message: Option<R>,
    size: MessageBytes,
    outcome: Option<Result<Option<Box<ResponseParts>>, Failure>>,
    waker: Option<Waker>,
}

impl<R> Default for Slot<R> {
    fn default() -> Self {
        Self(RefCell::new(Content {
            message: None,
            size: MessageBytes::default(),
            outcome: None,
            waker: None,
        }))
    }
}

impl<R> Slot<R> {
    /// Returns the size of the received message.
    pub(crate) fn size(&self) -> MessageBytes {
        self.0.borrow().size
    }
}

impl<R: Message + Default> Sink for Slot<R> {
    fn message(&self, bytes: &[u8], wire: usize) -> Result<(), Status> {
        let mut content = self.0.borrow_mut();
        content.message = Some(message::decode(bytes)?);
        content.size = MessageBytes {
            plain: bytes.len(),
            wire,
        };
        Ok(())
    }

    fn finish(&self, outcome: Result<Option<Box<ResponseParts>>, Failure>) {
        let mut content = self.0.borrow_mut();
        content.outcome.get_or_insert(outcome);
        let waker = content.waker.take();
        drop(content);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Future of a unary response; dropping it early cancels the call.
pub(crate) struct Waiting<R> {
    slot: Rc<Slot<R>>,
    bell: Rc<Bell>,
    stream: StreamKey,
    done: bool,
}

impl<R> Waiting<R> {
    pub(crate) fn new(slot: Rc<Slot<R>>, bell: Rc<Bell>, stream: StreamKey) -> Self {
        Self {
            slot,
            bell,
            stream,
            done: false,
        }
    }
}

impl<R> Future for Waiting<R> {
    type Output = Result<Response<R>, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut content = self.slot.0.borrow_mut();
        let Some(outcome) = content.outcome.take() else {
            content.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let message = content.message.take();
        drop(content);
        self.done = true;
        Poll::Ready(outcome.and_then(|parts| {
            let message = message.ok_or_else(|| Failure::from(cardinality("no message")))?;
            Ok(Response::from_parts(message, parts))
        }))
    }
}

impl<R> Drop for Waiting<R> {
    fn drop(&mut self) {
        if !self.done {
            self.bell.ring(self.stream.to_token());
        }
    }
}
