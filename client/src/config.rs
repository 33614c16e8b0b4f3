//! What a channel keeps to.

use std::time::Duration;

use corespun_http2::Limits;
use corespun_tls::Connector;

/// Limits of a channel's connection and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of HTTP/2.
    pub http2: Limits,
    /// The largest response message in bytes; a larger one ends its call with RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// How long an attempt to connect may take, the first SETTINGS of the server included.
    pub connect_timeout: Duration,
    /// Speaks TLS, also where the target does not say `https://`. Where it does and this is
    /// `None`, the authorities that Mozilla trusts are believed.
    pub tls: Option<Connector>,
}

impl Default for Config {
    /// Messages of up to 4 MiB and 20 s to connect, as gRPC clients in other languages, and the
    /// limits of [`Limits::default`].
    fn default() -> Self {
        Self {
            http2: Limits::default(),
            message_bytes_max: 4 << 20,
            connect_timeout: Duration::from_secs(20),
            tls: None,
        }
    }
}
