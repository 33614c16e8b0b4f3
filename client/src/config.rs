//! What a channel keeps to.

use std::time::Duration;

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;
use corespun_tls::Connector;

/// Limits of a channel's connection and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bounds of HTTP/2 on the server; those of [`Limits::client`] by default.
    pub http2: Limits,
    /// The largest response message in bytes, inflated if it came compressed; a larger one ends
    /// its call with RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// The largest request message in bytes, before it is compressed; a larger one is not sent and
    /// its call ends with RESOURCE_EXHAUSTED.
    pub send_bytes_max: usize,
    /// What the server may compress its messages as. Said to it with every call when it is more
    /// than [`Encodings::IDENTITY`]; a message in another encoding ends its call with INTERNAL.
    pub accept_encodings: Encodings,
    /// What request messages are compressed as; a
    /// [`Request`](corespun_codec::Request::set_encoding) may choose otherwise. A server that does
    /// not accept it answers UNIMPLEMENTED.
    pub encoding: Encoding,
    /// How long an attempt to connect may take, the first SETTINGS of the server included.
    pub connect_timeout: Duration,
    /// The silence of the server after which a PING asks whether it is still there; 10 s at least.
    /// [`Duration::MAX`], the default, for never: servers allow no more than one PING in five
    /// minutes unless they are told to. After a server has answered `too_many_pings` the channel's
    /// next connections wait twice as long.
    pub keepalive_time: Duration,
    /// How long the server may be silent after that. Then the connection ends, its calls with
    /// UNAVAILABLE.
    pub keepalive_timeout: Duration,
    /// PINGs are sent while there is no call, too. Most servers do not permit that.
    pub permit_without_stream: bool,
    /// Puts the [trace context](corespun_codec::TraceContext) that is current when a call is made
    /// into its metadata, unless that has one. Off for servers of strangers, whom our traces do not
    /// concern.
    pub trace_context: bool,
    /// Speaks TLS, also where the target does not say `https://`. Where it does and this is
    /// `None`, the authorities that Mozilla trusts are believed.
    pub tls: Option<Connector>,
}

impl Default for Config {
    /// Messages of up to 4 MiB, 20 s to connect and no keepalive, as gRPC clients in other
    /// languages, nothing compressed either way, traces handed on, and the limits of
    /// [`Limits::client`].
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
