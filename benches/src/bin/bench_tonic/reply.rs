//! Reply stream that answers each request message when it arrives, without a task or a box.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::codegen::tokio_stream::Stream;
use tonic::{Status, Streaming};

/// Maps a stream of requests to replies, one for one.
pub(crate) struct ReplyEach<Q, R> {
    requests: Streaming<Q>,
    reply: fn(Q) -> Result<R, Status>,
}

impl<Q, R> ReplyEach<Q, R> {
    /// Answers each message of `requests` by `reply`; ends when they end.
    pub(crate) fn new(requests: Streaming<Q>, reply: fn(Q) -> Result<R, Status>) -> Self {
        Self { requests, reply }
    }
}

impl<Q, R> Stream for ReplyEach<Q, R> {
    type Item = Result<R, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let request = Pin::new(&mut self.requests).poll_next(context);
        request.map(|next| next.map(|request| request.and_then(self.reply)))
    }
}
