//! What every connection of a server keeps to.

use corespun_http2::Limits;

/// Limits of a server's connections and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of HTTP/2.
    pub http2: Limits,
    /// The largest request message in bytes; a larger one gets RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
}

impl Default for Config {
    /// Messages of up to 4 MiB, as gRPC servers in other languages, and the limits of
    /// [`Limits::default`].
    fn default() -> Self {
        Self {
            http2: Limits::default(),
            message_bytes_max: 4 << 20,
        }
    }
}
