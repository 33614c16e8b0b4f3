//! Handlers of the three streaming kinds: tasks from the start, joined to the connection by a pipe.

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use corespun_codec::pipe::{Finisher, Pipe};
use corespun_codec::{Kind, RequestParts, Response, Status};
use corespun_runtime::{JoinHandle, spawn};
use prost::Message;

use super::{Handler, Later, guarded, panicked};
use crate::call::ReplyForm;
use crate::reply::Reply;
use crate::surround::Terms;

/// Starter of one kind of streaming call.
pub(crate) trait StreamStart:
    Fn(Option<&[u8]>, RequestParts, &Pipe) -> Result<JoinHandle<()>, Status>
{
}

impl<F> StreamStart for F where
    F: Fn(Option<&[u8]>, RequestParts, &Pipe) -> Result<JoinHandle<()>, Status>
{
}

/// Streaming method of a service.
pub(crate) struct Streamed<F> {
    kind: Kind,
    start: F,
}

impl<F: StreamStart> Streamed<F> {
    pub(crate) fn new(kind: Kind, start: F) -> Self {
        Self { kind, start }
    }
}

impl<F: StreamStart> Handler for Streamed<F> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn call(&self, _: &[u8], _: RequestParts, reply: &mut Reply<'_>) -> Option<JoinHandle<()>> {
        reply.status(&not_unary());
        None
    }

    fn call_later(&self, _: &[u8], _: RequestParts, _: ReplyForm) -> Later {
        Box::pin(ready(Err(not_unary())))
    }

    fn start(
        &self,
        message: Option<&[u8]>,
        parts: RequestParts,
        pipe: &Pipe,
    ) -> Result<JoinHandle<()>, Status> {
        let start = AssertUnwindSafe(|| (self.start)(message, parts, pipe));
        catch_unwind(start).unwrap_or_else(|_| Err(panicked()))
    }
}

fn not_unary() -> Status {
    Status::internal("a streaming method was called as unary")
}

/// Runs a handler that writes its messages into a sender and returns how it ended.
pub(crate) fn run_sending<Fut>(
    handler: Pin<Box<Fut>>,
    terms: Terms,
    finisher: Finisher,
) -> JoinHandle<()>
where
    Fut: Future<Output = Result<(), Status>> + 'static,
{
    spawn(async move {
        match guarded(handler, terms).await {
            Ok(outcome) => finisher.finish(outcome),
            Err(overdue) => finisher.expire(overdue),
        }
    })
}

/// Runs a handler that returns its one response.
pub(crate) fn run_responding<R, Fut>(
    handler: Pin<Box<Fut>>,
    terms: Terms,
    finisher: Finisher,
) -> JoinHandle<()>
where
    R: Message,
    Fut: Future<Output = Result<Response<R>, Status>> + 'static,
{
    spawn(async move {
        match guarded(handler, terms).await {
            Ok(Ok(response)) => finisher.respond(response),
            Ok(Err(status)) => finisher.finish(Err(status)),
            Err(overdue) => finisher.expire(overdue),
        }
    })
}
