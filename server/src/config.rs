//! Configuration of the connections of a server.

use std::time::Duration;

use corespun_codec::{Encoding, Encodings};
use corespun_http2::Limits;
use corespun_runtime::return_freed_buffers;

use crate::admission::Admission;
use crate::lifetime::Lifetime;
use crate::web::GrpcWeb;

/// Bytes that the calls of a shard may hold if memory is not limited: 64 messages of the default
/// largest size, or the worst case of eight connections.
pub(crate) const SHARD_BYTES_MAX: usize = 256 << 20;
/// Divisor of the memory limit for what the calls of all shards may hold together. Kernel buffers
/// and messages being encoded take about as much again, and half is left for handlers.
const MEMORY_SHARE: u64 = 4;

/// Divisor of a shard's share of memory: where memory is limited, freed buffers of at least this
/// part of it are returned to the system. Smaller ones are soon reused.
const FREED_PARTS: usize = 32;

/// Limits of a server's connections and calls.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits of HTTP/2. A call whose stream is reset no longer counts as open, because its handler
    /// is dropped at once. Only work that `spawn_blocking` already runs for it continues, on a
    /// bounded number of threads.
    pub http2: Limits,
    /// Lifetime and keepalive of connections.
    pub lifetime: Lifetime,
    /// Largest request message in bytes, after decompression; a larger one gets RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// Largest body of a plain request in bytes; a larger one gets 413. See
    /// [`ServerBuilder::plain`](crate::ServerBuilder::plain).
    pub plain_body_bytes_max: usize,
    /// Largest message to send in bytes, before compression; a larger one ends its call with
    /// RESOURCE_EXHAUSTED.
    pub send_bytes_max: usize,
    /// Compressions accepted in request messages; other calls get UNIMPLEMENTED.
    pub accept_encodings: Encodings,
    /// Compression of sent messages, if the client accepts it. A service, a
    /// [`Response`](corespun_codec::Response) or a [`Sender`](corespun_codec::Sender) may override
    /// it.
    pub encoding: Encoding,
    /// Admission control; `None` never refuses a call for its queueing delay.
    pub admission: Option<Admission>,
    /// Memory in bytes that the calls of one shard may hold together: requests being received and
    /// responses not yet sent, over all connections. Each connection has its own bounds in
    /// [`Limits`].
    ///
    /// From three quarters of this bound on, clients wait for flow-control credit. At the bound no
    /// call is started, except on one connection at a time. At a quarter above the bound, or one
    /// message above it, the call that holds the most ends with RESOURCE_EXHAUSTED, and new calls
    /// get that status. `None` derives the bound from the memory of the container: see
    /// [`ServerBuilder::bind`](crate::ServerBuilder::bind).
    pub shard_bytes_max: Option<usize>,
    /// Origins whose pages may call by gRPC-Web; `None` serves no browsers.
    pub grpc_web: Option<GrpcWeb>,
}

impl Config {
    /// Sets the limits for a peer that is a trusted proxy, as [`Limits::behind_proxy`] does. Its
    /// PINGs are counted like other frames without effect, not as ping strikes.
    pub(crate) fn behind_proxy(mut self) -> Self {
        self.http2 = self.http2.behind_proxy();
        self.lifetime.keepalive_min_time = Duration::ZERO;
        self
    }
}

impl Default for Config {
    /// Returns the defaults, which match gRPC servers in other languages where those have one.
    ///
    /// - Received messages are at most 4 MiB; sent messages have no bound.
    /// - All compressions are accepted, and none is used for sending.
    /// - Plain bodies are at most 64 KiB.
    /// - HTTP/2 and lifetime have [`Limits::default`] and [`Lifetime::default`].
    /// - No call is refused for its queueing delay.
    /// - A shard holds at most 256 MiB, or less where memory is limited.
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

/// Returns the bytes that the calls of each of `shards` may hold in a process with `memory_bytes`;
/// `None` if the memory is not limited, or suffices for the default.
pub(crate) fn short_shard_bytes(memory_bytes: Option<u64>, shards: usize) -> Option<usize> {
    let share = memory_bytes? / MEMORY_SHARE / shards.max(1) as u64;
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    (share < SHARD_BYTES_MAX).then_some(share)
}

impl Config {
    /// Adapts memory use to the memory limit of the process: the bytes that calls may hold, unless
    /// set explicitly, and the freed memory that the allocator keeps.
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
