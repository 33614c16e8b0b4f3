//! What the bench programs share: flags, listeners, constant answers, the two floors, and the
//! host that runs a [`Protocol`](corespun_runtime::Protocol) on monoio.
//!
//! The programs are the two sides of every comparison that this project publishes, so each
//! hosts the same services and gives the same answers:
//!
//! | program | what it hosts |
//! |---|---|
//! | `bench-corespun` | both services on corespun |
//! | `bench-tonic` | the same on tonic in its best form, a current-thread runtime for each shard |
//! | `bench-echo` | the floors: raw TCP echo on ring or epoll, with a client; canned replies |
//! | `bench-monoio` | our protocol cores, driven by monoio instead of our ring |
//!
//! `user.UserService` answers from constants, so that no store hides the cost of the call;
//! `grpc.testing.BenchmarkService` is the service that gRPC's own benchmarks use, with
//! payloads of the size that the request asks for. What costs no socket is measured by
//! `cargo bench -p corespun-benches`: HPACK, message framing, and unary calls in memory.
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

/// An error on its way to the user, from any shard.
pub type AnyError = Box<dyn Error + Send + Sync>;
