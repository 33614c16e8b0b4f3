//! What every connection of a server keeps to.

use std::time::Duration;

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;
use corespun_runtime::return_freed_buffers;

use crate::admission::Admission;
use crate::lifetime::Lifetime;
use crate::web::GrpcWeb;

/// Bytes that the calls of a shard may keep where memory is not short: 64 of the largest messages,
/// or all that eight connections may keep at their worst.
pub(crate) const SHARD_BYTES_MAX: usize = 256 << 20;
/// The part of the memory that the calls of all shards may keep together. As much again is taken
/// by the buffers of the kernel and by messages while they are encoded, and half is for handlers.
const MEMORY_SHARE: u64 = 4;

/// The part of a shard's share, where memory is short, from which on a freed buffer goes back to
/// the system: what is freed in smaller ones finds new users soon.
const FREED_PARTS: usize = 32;

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
    /// Memory in bytes that the calls of one shard may keep together: requests that are coming and
    /// responses that have not gone out, of all connections, each of which has bounds of its own in
    /// [`Limits`]. From three quarters of it on, callers wait for credit; at the bound no call is
    /// started, except on one connection at a time. A quarter beyond it, or one message, the call
    /// that keeps most ends with RESOURCE_EXHAUSTED, and new calls get that status. `None` follows
    /// the memory of the container: see [`ServerBuilder::bind`](crate::ServerBuilder::bind).
    pub shard_bytes_max: Option<usize>,
    /// Origins whose pages may call by gRPC-Web; `None` serves no browsers.
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
    /// wait. A shard keeps 256 MiB, or less where memory is short.
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
            shard_bytes_max: None,
            grpc_web: None,
        }
    }
}

/// The bytes that the calls of each of `shards` may keep if a process has `memory_bytes`; `None`
/// where memory is not short.
pub(crate) fn short_shard_bytes(memory_bytes: Option<u64>, shards: usize) -> Option<usize> {
    let share = memory_bytes? / MEMORY_SHARE / shards.max(1) as u64;
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    (share < SHARD_BYTES_MAX).then_some(share)
}

impl Config {
    /// Fits what is kept to the memory limit of the process: by its calls, unless told otherwise,
    /// and by its allocator of what they have freed.
    pub(crate) fn fit_memory(&mut self, memory_bytes: Option<u64>, shards: usize) {
        let short = short_shard_bytes(memory_bytes, shards);
        if let Some(share) = short {
            let returns_freed = return_freed_buffers(share / FREED_PARTS);
            tracing::debug!(share, returns_freed, "memory is short");
        }
        if let (None, Some(share)) = (self.shard_bytes_max, short) {
            tracing::info!(
                memory_limit = memory_bytes,
                shards,
                shard_bytes_max = share,
                "the memory limit lowers what the calls of a shard may keep"
            );
        }
        let default = short.unwrap_or(SHARD_BYTES_MAX);
        self.shard_bytes_max.get_or_insert(default);
    }
}

#[cfg(test)]
mod tests {
    use super::{SHARD_BYTES_MAX, short_shard_bytes};

    #[test]
    fn shards_share_a_quarter_of_little_memory() {
        const MIB: u64 = 1 << 20;
        for (memory, shards, expected) in [
            (None, 1, None),
            (Some(64 * MIB), 1, Some(16 << 20)),
            (Some(64 * MIB), 4, Some(4 << 20)),
            (Some(1024 * MIB), 1, None),
            (Some(1024 * MIB - 4), 1, Some(SHARD_BYTES_MAX - 1)),
            (Some(u64::MAX), 3, None),
        ] {
            let short = short_shard_bytes(memory, shards);
            assert_eq!(short, expected, "{memory:?} {shards}");
        }
    }
}
