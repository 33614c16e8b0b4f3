//! What every connection of a server keeps to.

use std::time::Duration;

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;

use crate::admission::Admission;
use crate::lifetime::Lifetime;

use crate::web::GrpcWeb;

/// Limits of a server's connections and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of HTTP/2. A call whose stream is reset no longer counts as open, because its
    /// handler is dropped at once; only what `spawn_blocking` already runs for it goes on, on the
    /// bounded number of threads that there are for that.
    pub http2: Limits,
    /// How long connections live, and how the ends of each make sure of each other.
    pub lifetime: Lifetime,
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
    /// Whether and when a shard refuses calls that would wait too long for it.
    pub admission: Option<Admission>,
    /// What the calls of one shard may keep together, in bytes of memory: requests that are coming
    /// and replies that have not gone out, of all connections, each of which has bounds of its own
    /// in [`Limits`]. Beyond it new calls get RESOURCE_EXHAUSTED, and so does the newest call of a
    /// connection that keeps still more.
    pub shard_bytes_max: usize,
    /// Whose pages may call by gRPC-Web; `None` serves no browsers and no HTTP/1.1.
    pub grpc_web: Option<GrpcWeb>,
}

impl Config {
    /// Sets the bounds for a peer that is a trusted proxy, as [`Limits::behind_proxy`] does; its
    /// PINGs are counted as other frames without use are, and not as strikes.
    pub(crate) fn behind_proxy(mut self) -> Self {
        self.http2 = self.http2.behind_proxy();
        self.lifetime.keepalive_min_time = Duration::ZERO;
        self
    }
}

impl Default for Config {
    /// As gRPC servers in other languages: messages of up to 4 MiB come in and any go out, all
    /// compressions are read and none is written; plain bodies of up to 64 KiB, and the bounds of
    /// [`Limits::default`] and [`Lifetime::default`]. No call is refused for the time it would
    /// wait. A shard keeps 256 MiB: 64 of the largest messages, or all that eight connections may
    /// keep at their worst.
    fn default() -> Self {
        Self {
            http2: Limits::default(),
            lifetime: Lifetime::default(),
            message_bytes_max: 4 << 20,
            plain_body_bytes_max: 64 << 10,
            send_bytes_max: usize::MAX,
            accept_encodings: Encodings::ALL,
            encoding: Encoding::Identity,
            admission: None,
            shard_bytes_max: 256 << 20,
            grpc_web: None,
        }
    }
}
