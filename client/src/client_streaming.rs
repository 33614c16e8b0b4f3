//! The caller's end of a client-streaming call.

use corespun_codec::{Response, Sender, Status, Streaming};
use prost::Message;

use crate::call::cardinality;

/// Sends any number of requests, then waits for the one response. Dropped before that, it
/// cancels the call.
#[derive(Debug)]
pub struct ClientStreaming<Q, R> {
    requests: Sender<Q>,
    response: Streaming<R>,
}

impl<Q, R> ClientStreaming<Q, R> {
    pub(crate) fn new(requests: Sender<Q>, response: Streaming<R>) -> Self {
        Self { requests, response }
    }
}

impl<Q: Message, R: Message + Default> ClientStreaming<Q, R> {
    /// Sends a request, at the pace at which the server takes them. Once the server has answered
    /// ahead of the last one, further requests go nowhere: [`ClientStreaming::finish`] has the
    /// answer.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn send(&mut self, message: Q) -> Result<(), Status> {
        match self.requests.send(message).await {
            Err(_) if self.requests.is_answered() => Ok(()),
            sent => sent,
        }
    }

    /// Whether the requests from here on are compressed, when the call is at all: as
    /// [`Sender::set_compression`].
    pub fn set_compression(&mut self, on: bool) {
        self.requests.set_compression(on);
    }

    /// Says that no more requests come, and waits for the response.
    ///
    /// # Errors
    /// The status that the call ended with; INTERNAL when the response has not one message.
    pub async fn finish(self) -> Result<Response<R>, Status> {
        let Self {
            requests,
            mut response,
        } = self;
        requests.finish();
        let message = response.message().await?;
        let message = message.ok_or_else(|| cardinality("no message"))?;
        if response.message().await?.is_some() {
            return Err(cardinality("more than one message"));
        }
        let mut whole = Response::new(message);
        if !response.metadata().is_empty() {
            *whole.metadata_mut() = response.metadata().clone();
        }
        if !response.trailers().is_empty() {
            *whole.trailers_mut() = response.trailers().clone();
        }
        Ok(whole)
    }
}
