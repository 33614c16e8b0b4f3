//! What an interceptor answers in place of the server.

use std::rc::Rc;

use corespun_codec::message;
use corespun_codec::pipe::{Doorbell, Pipe, Side};
use corespun_codec::{Encoding, MetadataError, Response, ResponseParts, Sender, Status, Streaming};
use prost::Message;

/// What a caller gets in place of the server's answer: a status, or one whole response.
#[derive(Debug)]
pub struct Answer(Content);

#[derive(Debug)]
enum Content {
    Status(Status),
    /// A message behind its prefix, and the metadata around it.
    Response(Vec<u8>, Option<Box<ResponseParts>>),
}

impl Answer {
    /// One message that the server might have answered, with its metadata and OK behind it.
    pub fn response<R: Message>(response: Response<R>) -> Self {
        let (message, parts) = response.into_parts();
        let mut framed = Vec::new();
        match message::encode(&message, &mut framed) {
            Ok(_) => Self(Content::Response(framed, parts)),
            Err(status) => status.into(),
        }
    }

    /// The answer of a call with one response.
    pub(crate) fn whole<R: Message + Default>(self) -> Result<Response<R>, Status> {
        match self.0 {
            Content::Status(status) => Err(status),
            Content::Response(framed, parts) => {
                let bytes = message::whole(&framed).unwrap_or_default();
                Ok(Response::from_parts(message::decode(bytes)?, parts))
            }
        }
    }

    /// The answer as a stream; nobody reads what is sent meanwhile.
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

/// Metadata that cannot be sent ends the call with INTERNAL.
impl From<MetadataError> for Answer {
    fn from(error: MetadataError) -> Self {
        Status::from(error).into()
    }
}

/// Stands where a connection would listen.
struct Nobody;

impl Doorbell for Nobody {
    fn ring(&self, _: u64) {}
}
