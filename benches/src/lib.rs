//! Shared code of the bench programs: flags, listeners, constant responses, two lower bounds, and a
//! host that runs a [`Protocol`](corespun_runtime::Protocol) on monoio.
//!
//! The programs are both sides of every comparison that this project publishes. They host the same
//! services and send the same responses:
//!
//! | program | services |
//! |---|---|
//! | `bench-corespun` | both services on corespun |
//! | `bench-tonic` | both services on tonic, with a current-thread runtime for each shard |
//! | `bench-echo` | lower bounds: raw TCP echo, with a client, and fixed HTTP/2 responses |
//! | `bench-monoio` | our protocol implementations on monoio instead of our runtime |
//!
//! `user.UserService` sends constant responses, so that no store hides the cost of the call.
//! `grpc.testing.BenchmarkService` is the service of gRPC's own benchmarks, with payloads of the
//! requested size. `cargo bench -p corespun-benches` measures code without sockets: HPACK, message
//! framing, and unary calls in memory.
//!
//! ```
//! use corespun_benches::CpuList;
//!
//! let cpus: CpuList = "0,2-3".parse()?;
//! assert_eq!(cpus.as_slice(), [0, 2, 3]);
//! # Ok::<(), corespun_benches::CpuListError>(())
//! ```
//!
//! **Not here:** the load generator (`loadgen`), which drives these programs and compares them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::error::Error;

pub mod answers;
mod canned;
mod echo;
mod flags;
mod listeners;
pub mod monoio_host;
pub mod services;
mod unsent;
mod work;

pub use canned::Canned;
pub use corespun_runtime::{CPU_MAX, CpuList, CpuListError};
pub use echo::{Echo, UNSENT_BYTES_MAX};
pub use flags::{EngineFlag, ServerFlags, announce};
pub use listeners::Listeners;
pub use work::Work;

/// Error of any shard, to be shown to the user.
pub type AnyError = Box<dyn Error + Send + Sync>;
