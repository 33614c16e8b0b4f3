//! Uniform interface to handlers, for all four method kinds and any message type.

mod streaming;
mod unary;

pub(crate) use streaming::{Streamed, run_responding, run_sending};
pub(crate) use unary::Unary;

use std::future::poll_fn;
use std::pin::Pin;

use corespun_codec::pipe::Pipe;
use corespun_codec::{Kind, RequestParts, Status};
use corespun_runtime::JoinHandle;

use crate::bell::Framed;
use crate::call::ReplyForm;
use crate::reply::Reply;
use crate::surround::Terms;

/// Future of a unary call's framed response.
pub(crate) type Later = Pin<Box<dyn Future<Output = Result<Framed, Status>>>>;

/// A registered method.
pub(crate) trait Handler {
    /// Returns the kind of the method: which sides stream.
    fn kind(&self) -> Kind;

    /// Runs a unary call on a complete message without its prefix. The handler becomes a task if it
    /// has to wait.
    fn call(
        &self,
        message: &[u8],
        parts: RequestParts,
        reply: &mut Reply<'_>,
    ) -> Option<JoinHandle<()>>;

    /// Runs a unary call from within a task and returns the future of its response.
    fn call_later(&self, message: &[u8], parts: RequestParts, form: ReplyForm) -> Later;

    /// Starts a streaming call; `message` is the single request of a server-streaming call.
    fn start(
        &self,
        message: Option<&[u8]>,
        parts: RequestParts,
        pipe: &Pipe,
    ) -> Result<JoinHandle<()>, Status>;
}

/// Returns the status of a call whose handler panicked.
pub(crate) fn panicked() -> Status {
    Status::unknown("the handler panicked")
}

/// Returns the status of a call whose deadline has passed.
pub(crate) fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call was done")
}

/// Runs a handler to its end; a panic becomes a status.
///
/// # Errors
///
/// DEADLINE_EXCEEDED when the deadline passes first.
pub(crate) async fn guarded<T, F>(
    mut future: Pin<Box<F>>,
    terms: Terms,
) -> Result<Result<T, Status>, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let deadline = terms.deadline;
    let caught = poll_fn(
        move |context| match terms.run(|| future.as_mut().poll(context)) {
            Ok(polled) => polled,
            Err(_) => std::task::Poll::Ready(Err(panicked())),
        },
    );
    match deadline {
        None => Ok(caught.await),
        Some(deadline) => {
            let left = deadline.saturating_sub(corespun_runtime::turn_time());
            let outcome = corespun_runtime::timeout(left, caught).await;
            outcome.map_err(|_| expired())
        }
    }
}
