//! Configuration of a channel.

use std::time::Duration;

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;
use corespun_tls::Connector;

/// Limits of a channel's connection and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits of HTTP/2 on the server; [`Limits::client`] by default.
    pub http2: Limits,
    /// Largest response message in bytes, after decompression; a larger one ends its call with
    /// RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// Largest request message in bytes, before compression; a larger one is not sent and its call
    /// ends with RESOURCE_EXHAUSTED.
    pub send_bytes_max: usize,
    /// Compressions accepted in responses. Announced with every call if there are others than
    /// [`Encodings::IDENTITY`]. A message in another encoding ends its call with INTERNAL.
    pub accept_encodings: Encodings,
    /// Compression of request messages; a [`Request`](corespun_codec::Request::set_encoding) may
    /// override it. A server that does not accept it responds with UNIMPLEMENTED.
    pub encoding: Encoding,
    /// Longest time of an attempt to connect, including the server's first SETTINGS.
    pub connect_timeout: Duration,
    /// Time without data from the server after which a keepalive PING is sent, at least 10 s.
    /// [`Duration::MAX`], the default, turns keepalive off: by default servers allow no more than
    /// one PING in five minutes. After a server has answered `too_many_pings`, later connections of
    /// the channel wait twice as long.
    pub keepalive_time: Duration,
    /// Time to wait for data after a keepalive PING. The connection is closed then, and its calls
    /// end with UNAVAILABLE.
    pub keepalive_timeout: Duration,
    /// True if PINGs are sent without a call too. Most servers do not permit that.
    pub permit_without_stream: bool,
    /// True if the current [trace context](corespun_codec::TraceContext) is added to the metadata
    /// of each call that has none. Turn it off for servers of third parties, to keep trace ids
    /// private.
    pub trace_context: bool,
    /// TLS settings; with them TLS is used also if the target is not `https://`. `None` with an
    /// `https://` target trusts the authorities that Mozilla trusts.
    pub tls: Option<Connector>,
}

impl Default for Config {
    /// Returns the defaults of gRPC clients in other languages: response messages of up to 4 MiB,
    /// 20 s to connect, no keepalive and no compression. Trace contexts are passed on, and HTTP/2
    /// has the limits of [`Limits::client`].
    fn default() -> Self {
        Self {
            http2: Limits::client(),
            message_bytes_max: 4 << 20,
            send_bytes_max: usize::MAX,
            accept_encodings: Encodings::IDENTITY,
            encoding: Encoding::Identity,
            connect_timeout: Duration::from_secs(20),
            keepalive_time: Duration::MAX,
            keepalive_timeout: Duration::from_secs(20),
            permit_without_stream: false,
            trace_context: true,
            tls: None,
        }
    }
}
