//! Client side of a client-streaming call.

use corespun_codec::{Response, Sender, Status, Streaming};
use prost::Message;

use crate::call::cardinality;

/// Sender of any number of requests, followed by one response. Dropping it early cancels the call.
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
    /// Sends a request, and waits until flow control permits it. If the server has responded early,
    /// further requests are discarded: [`ClientStreaming::finish`] returns the response.
    ///
    /// # Errors
    ///
    /// The status that the call ended with.
    pub async fn send(&mut self, message: Q) -> Result<(), Status> {
        match self.requests.send(message).await {
            Err(_) if self.requests.is_answered() => Ok(()),
            sent => sent,
        }
    }

    /// Turns compression of later requests on or off, if the call has an encoding; see
    /// [`Sender::set_compression`].
    pub fn set_compression(&mut self, on: bool) {
        self.requests.set_compression(on);
    }

    /// Ends the requests and waits for the response.
    ///
    /// # Errors
    ///
    /// The status that the call ended with, with the metadata of the response head in
    /// [`Status::head`]; INTERNAL when the response has no message, or more than one.
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
