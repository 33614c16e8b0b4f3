//! Response that an interceptor sends in place of the server's.

use std::rc::Rc;

use corespun_codec::message;
use corespun_codec::pipe::{Doorbell, Pipe, Side};
use corespun_codec::{Encoding, MetadataError, Response, ResponseParts, Sender, Status, Streaming};
use prost::Message;

/// Response in place of the server's: a status, or one message.
#[derive(Debug)]
pub struct Answer(Content);

#[derive(Debug)]
enum Content {
    Status(Status),
    /// Message with its prefix, and the metadata around it.
    Response(Vec<u8>, Option<Box<ResponseParts>>),
}

impl Answer {
    /// Creates a response of one message with its metadata, followed by OK.
    pub fn response<R: Message>(response: Response<R>) -> Self {
        let (message, parts) = response.into_parts();
        let mut framed = Vec::new();
        match message::encode(&message, &mut framed) {
            Ok(_) => Self(Content::Response(framed, parts)),
            Err(status) => status.into(),
        }
    }

    /// Returns the response of a call with one message.
    pub(crate) fn whole<R: Message + Default>(self) -> Result<Response<R>, Status> {
        match self.0 {
            Content::Status(status) => Err(status),
            Content::Response(framed, parts) => {
                let bytes = message::whole(&framed).unwrap_or_default();
                Ok(Response::from_parts(message::decode(bytes)?, parts))
            }
        }
    }

    /// Returns the response as a stream; requests sent on it are discarded.
    pub(crate) fn streamed<Q, R>(self) -> (Sender<Q>, Streaming<R>) {
        let pipe = Pipe::new(Side::Client, usize::MAX, Rc::new(Nobody), 0);
        let ends = (pipe.sender(), pipe.streaming());
        match self.0 {
            Content::Status(status) => pipe.end(Err(status)),
            Content::Response(framed, parts) => {
                let parts = parts.map_or_else(Default::default, |parts| *parts);
                pipe.receive_head(parts.metadata, Encoding::Identity);
                pipe.receive(&framed);
                pipe.end(Ok(parts.trailers));
            }
        }
        ends
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self(Content::Status(status))
    }
}

/// Converts to INTERNAL: metadata that cannot be sent ends the call.
impl From<MetadataError> for Answer {
    fn from(error: MetadataError) -> Self {
        Status::from(error).into()
    }
}

/// Pipe listener of a call without a connection.
struct Nobody;

impl Doorbell for Nobody {
    fn ring(&self, _: u64) {}
}
