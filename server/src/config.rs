//! What every connection of a server keeps to.

use corespun_http2::Limits;

/// Limits of a server's connections and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of HTTP/2.
    pub http2: Limits,
    /// The largest request message in bytes; a larger one gets RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// The largest body of a plain request in bytes; a larger one gets 413. See
    /// [`ServerBuilder::plain`](crate::ServerBuilder::plain).
    pub plain_body_bytes_max: usize,
}

impl Default for Config {
    /// Messages of up to 4 MiB, as gRPC servers in other languages, plain bodies of up to 64 KiB,
    /// and the limits of [`Limits::default`].
    fn default() -> Self {
        Self {
            http2: Limits::default(),
            message_bytes_max: 4 << 20,
            plain_body_bytes_max: 64 << 10,
        }
    }
}
