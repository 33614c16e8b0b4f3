//! Handlers behind one face, whatever their four shapes and message types.

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

/// A unary call's framed response, when it is there.
pub(crate) type Later = Pin<Box<dyn Future<Output = Result<Framed, Status>>>>;

/// A registered method.
pub(crate) trait Handler {
    /// Which side streams.
    fn kind(&self) -> Kind;

    /// Answers a unary request, whose message came without its prefix. A task when the answer
    /// has to wait.
    fn call(
        &self,
        message: &[u8],
        parts: RequestParts,
        reply: &mut Reply<'_>,
    ) -> Option<JoinHandle<()>>;

    /// The same from within a task.
    fn call_later(&self, message: &[u8], parts: RequestParts, form: ReplyForm) -> Later;

    /// Starts a streaming call; `message` is the one request of a server-streaming call.
    fn start(
        &self,
        message: Option<&[u8]>,
        parts: RequestParts,
        pipe: &Pipe,
    ) -> Result<JoinHandle<()>, Status>;
}

/// What the caller of a handler that panicked is told.
pub(crate) fn panicked() -> Status {
    Status::unknown("the handler panicked")
}

/// What the caller gets whose time is up.
pub(crate) fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call was done")
}

/// Runs a handler to its end or its panic, either of which becomes an outcome.
///
/// # Errors
/// DEADLINE_EXCEEDED when its time is up first.
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
