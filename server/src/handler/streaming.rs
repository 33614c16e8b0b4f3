//! The three shapes that stream: a task from the start, joined to its connection by a pipe.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::time::Duration;

use corespun_codec::pipe::{Finisher, Pipe};
use corespun_codec::{Kind, MetadataMap, Response, Status, message};
use corespun_runtime::{JoinHandle, give_buffer, spawn, take_buffer};
use prost::Message;

use super::{Handler, guarded, panicked};
use crate::call::Arrival;
use crate::reply::Reply;

/// Starts one kind of streaming call.
pub(crate) trait StreamStart:
    Fn(Option<&[u8]>, Arrival, &Pipe) -> Result<JoinHandle<()>, Status>
{
}

impl<F> StreamStart for F where
    F: Fn(Option<&[u8]>, Arrival, &Pipe) -> Result<JoinHandle<()>, Status>
{
}

/// A streaming method of a service.
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

    fn call(&self, _: &[u8], _: Arrival, mut reply: Reply<'_>) -> Option<JoinHandle<()>> {
        reply.status(&Status::internal("a streaming method was called as unary"));
        None
    }

    fn start(
        &self,
        message: Option<&[u8]>,
        arrival: Arrival,
        pipe: &Pipe,
    ) -> Result<JoinHandle<()>, Status> {
        let start = AssertUnwindSafe(|| (self.start)(message, arrival, pipe));
        catch_unwind(start).unwrap_or_else(|_| Err(panicked()))
    }
}

/// Runs a handler that writes its messages into a sender and returns how it ended.
pub(crate) fn run_sending<Fut>(
    handler: Pin<Box<Fut>>,
    deadline: Option<Duration>,
    finisher: Finisher,
) -> JoinHandle<()>
where
    Fut: Future<Output = Result<(), Status>> + 'static,
{
    spawn(async move { finisher.finish(guarded(handler, deadline).await) })
}

/// Runs a handler that returns its one response.
pub(crate) fn run_responding<R, Fut>(
    handler: Pin<Box<Fut>>,
    deadline: Option<Duration>,
    finisher: Finisher,
) -> JoinHandle<()>
where
    R: Message,
    Fut: Future<Output = Result<Response<R>, Status>> + 'static,
{
    spawn(async move {
        let framed = guarded(handler, deadline).await.and_then(|response| {
            let (response, parts) = response.into_parts();
            let mut bytes = take_buffer();
            message::encode(&response, &mut bytes)?;
            Ok((bytes, parts))
        });
        match framed {
            Err(status) => finisher.finish(Err(status)),
            Ok((bytes, parts)) => {
                let (metadata, trailers) = match parts {
                    Some(parts) => (parts.metadata, parts.trailers),
                    None => (MetadataMap::new(), MetadataMap::new()),
                };
                finisher.respond(&bytes, metadata, trailers);
                give_buffer(bytes);
            }
        }
    })
}
