//! Where a unary response is put for the future that waits for it.

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

/// The connection's view of a slot, whatever its message type.
pub(crate) trait Sink {
    /// Decodes the message, straight from where it was received; `wire` bytes of it travelled.
    fn message(&self, bytes: &[u8], wire: usize) -> Result<(), Status>;

    /// Says how the call ended; the first word counts.
    fn finish(&self, outcome: Result<Option<Box<ResponseParts>>, Failure>);
}

/// One unary call's response.
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
    /// The size of the message that came.
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

/// Waits for a unary response; dropped before, it cancels the call.
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
