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
    /// The status that the call ended with, with the metadata of the response's head in
    /// [`Status::head`]; INTERNAL when the response has not one message.
    pub async fn finish(self) -> Result<Response<R>, Status> {
        let Self {
            requests,
            mut response,
        } = self;
        requests.finish();
        let message = only_message(&mut response).await.map_err(|mut status| {
            if status.head().is_empty() {
                status.set_head(response.metadata().clone());
            }
            status
        })?;
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

async fn only_message<R: Message + Default>(response: &mut Streaming<R>) -> Result<R, Status> {
    let message = response.message().await?;
    let message = message.ok_or_else(|| cardinality("no message"))?;
    match response.message().await? {
        Some(_) => Err(cardinality("more than one message")),
        None => Ok(message),
    }
}
