//! What every connection of a server keeps to.

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;

use crate::web::GrpcWeb;

/// Limits of a server's connections and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of HTTP/2.
    pub http2: Limits,
    /// The largest request message in bytes, inflated if it came compressed; a larger one gets
    /// RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// The largest body of a plain request in bytes; a larger one gets 413. See
    /// [`ServerBuilder::plain`](crate::ServerBuilder::plain).
    pub plain_body_bytes_max: usize,
    /// The largest message to send in bytes, before it is compressed; a larger one ends its call
    /// with RESOURCE_EXHAUSTED.
    pub send_bytes_max: usize,
    /// What request messages may be compressed as; other calls get UNIMPLEMENTED.
    pub accept_encodings: Encodings,
    /// What messages are compressed as for callers that accept it; a service, a
    /// [`Response`](corespun_codec::Response) or a [`Sender`](corespun_codec::Sender) may choose
    /// otherwise.
    pub encoding: Encoding,
    /// Whose pages may call by gRPC-Web; `None` serves no browsers and no HTTP/1.1.
    pub grpc_web: Option<GrpcWeb>,
}

impl Default for Config {
    /// As gRPC servers in other languages: messages of up to 4 MiB come in and any go out, all
    /// compressions are read and none is written; plain bodies of up to 64 KiB, and the limits of
    /// [`Limits::default`].
    fn default() -> Self {
        Self {
            http2: Limits::default(),
            message_bytes_max: 4 << 20,
            plain_body_bytes_max: 64 << 10,
            send_bytes_max: usize::MAX,
            accept_encodings: Encodings::ALL,
            encoding: Encoding::Identity,
            grpc_web: None,
        }
    }
}
