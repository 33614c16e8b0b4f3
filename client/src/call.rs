//! State of one call on its connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::head::ForeignResponse;
use corespun_codec::message::Framing;
use corespun_codec::pipe::Pipe;
use corespun_codec::{Code, Encoding, MetadataMap, ResponseParts, Status, message};

use crate::slot::Sink;

/// Reason why a call ended without a status from the server.
pub(crate) struct Failure {
    pub(crate) status: Status,
    /// True if the server certainly has not processed the call, so that it may be sent again.
    pub(crate) unprocessed: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            status,
            unprocessed: false,
        }
    }
}

/// Contents of a stream's slot. `id` detects a slot that was reused by another stream.
pub(crate) struct Call {
    pub(crate) id: u32,
    pub(crate) deadline: Option<Duration>,
    /// Set when the response is not gRPC. The call then ends with the status derived from it.
    pub(crate) foreign: Option<Box<Foreign>>,
    pub(crate) shape: Shape,
}

/// Response that is not gRPC, and the metadata of its head.
#[derive(Clone)]
pub(crate) struct Foreign {
    pub(crate) response: ForeignResponse,
    pub(crate) head: MetadataMap,
}

impl Foreign {
    /// Returns the final status of the call; `given` is the `grpc-status` of the trailers, if any.
    pub(crate) fn into_status(self, given: Option<Status>) -> Status {
        let mut status = self.response.into_status(given);
        status.set_head(self.head);
        status
    }
}

/// Receiver of the response.
pub(crate) enum Shape {
    /// Future that waits for one message.
    Unary(Unary),
    /// Both directions of a pipe.
    Streamed(Streamed),
}

/// Response of one message, of which a part may have been received.
pub(crate) struct Unary {
    sink: Rc<dyn Sink>,
    body: Vec<u8>,
    encoding: Encoding,
    parts: Option<Box<ResponseParts>>,
    answered: bool,
}

/// Response of any number of messages.
pub(crate) struct Streamed {
    pub(crate) pipe: Pipe,
    /// Copy of [`Failure::unprocessed`], set before the pipe fails.
    pub(crate) unprocessed: Rc<Cell<bool>>,
}

impl Unary {
    pub(crate) fn new(sink: Rc<dyn Sink>) -> Self {
        Self {
            sink,
            body: Vec::new(),
            encoding: Encoding::Identity,
            parts: None,
            answered: false,
        }
    }

    /// Appends body bytes; returns the number of bytes that are no longer held.
    fn receive(&mut self, bytes: &[u8], message_bytes_max: usize) -> Result<usize, Status> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.answered {
            return Err(cardinality("more than one message"));
        }
        if self.body.is_empty()
            && let Some(message) = message::whole(bytes)
            && message.len() <= message_bytes_max
        {
            self.answered = true;
            self.sink.message(message, message.len())?;
            return Ok(bytes.len());
        }
        message::append(&mut self.body, bytes);
        message::reserve_rest(&mut self.body, message_bytes_max);
        let framing = Framing {
            encoding: self.encoding,
            bytes_max: message_bytes_max,
        };
        match framing.split(&self.body)? {
            None => Ok(0),
            Some((_, rest)) if !rest.is_empty() => Err(cardinality("more than one message")),
            Some((frame, _)) => {
                self.answered = true;
                let mut plain = Vec::new();
                let message = framing.open(frame, &mut plain)?;
                self.sink.message(message, frame.bytes.len())?;
                Ok(std::mem::take(&mut self.body).len())
            }
        }
    }

    /// Ends a successful call, if its one message has been received.
    fn complete(&mut self, trailers: MetadataMap) -> Result<Option<Box<ResponseParts>>, Failure> {
        if !self.answered {
            let status = match self.body.is_empty() {
                true => cardinality("no message"),
                false => Status::internal("the response ended inside its message"),
            };
            return Err(status.into());
        }
        if !trailers.is_empty() {
            self.parts.get_or_insert_default().trailers = trailers;
        }
        Ok(self.parts.take())
    }

    /// Ends the call with a failure, which carries the response head if that has been received.
    fn fail(self, mut failure: Failure) {
        if let Some(parts) = self.parts {
            failure.status.set_head(parts.metadata);
        }
        self.sink.finish(Err(failure));
    }
}

impl Call {
    /// Returns the number of bytes that must arrive before there is something to read or to decode.
    pub(crate) fn missing(&self) -> usize {
        match &self.shape {
            Shape::Unary(unary) if unary.answered => 0,
            Shape::Unary(unary) => message::missing(&unary.body),
            Shape::Streamed(streamed) => streamed.pipe.missing(),
        }
    }

    /// Handles the response head.
    pub(crate) fn head(&mut self, metadata: MetadataMap, encoding: Encoding) {
        match &mut self.shape {
            Shape::Streamed(streamed) => streamed.pipe.receive_head(metadata, encoding),
            Shape::Unary(unary) => {
                unary.encoding = encoding;
                if !metadata.is_empty() {
                    unary.parts.get_or_insert_default().metadata = metadata;
                }
            }
        }
    }

    /// Handles body bytes; returns the number of bytes of credit to give back now.
    ///
    /// # Errors
    ///
    /// The failure that the call ends with, if its messages are invalid.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        message_bytes_max: usize,
    ) -> Result<usize, Status> {
        if let Some(foreign) = &mut self.foreign {
            foreign.response.push(bytes);
            return Ok(bytes.len());
        }
        match &mut self.shape {
            Shape::Streamed(streamed) => Ok(streamed.pipe.receive(bytes)),
            Shape::Unary(unary) => unary.receive(bytes, message_bytes_max),
        }
    }

    /// Ends the call with the server's `status`.
    pub(crate) fn end(self, status: Status) {
        if status.code() != Code::Ok {
            return self.fail(status.into());
        }
        let trailers = status.into_metadata();
        match self.shape {
            Shape::Streamed(streamed) => streamed.pipe.end(Ok(trailers)),
            Shape::Unary(mut unary) => match unary.complete(trailers) {
                Ok(parts) => unary.sink.finish(Ok(parts)),
                Err(failure) => unary.fail(failure),
            },
        }
    }

    /// Ends the call with a failure. A reader first gets the messages received before it.
    pub(crate) fn fail(self, failure: Failure) {
        match self.shape {
            Shape::Unary(unary) => unary.fail(failure),
            Shape::Streamed(streamed) => {
                streamed.unprocessed.set(failure.unprocessed);
                streamed.pipe.end(Err(failure.status));
            }
        }
    }

    /// Ends the call by a local decision; unread messages are discarded.
    pub(crate) fn abort(self, status: Status) {
        match self.shape {
            Shape::Unary(unary) => unary.fail(status.into()),
            Shape::Streamed(streamed) => streamed.pipe.fail(status),
        }
    }
}

/// Returns the status of a response whose number of messages does not match its method kind:
/// INTERNAL, as in grpc-go.
pub(crate) fn cardinality(what: &str) -> Status {
    Status::internal(format!("the response has {what}, but its method has one"))
}
