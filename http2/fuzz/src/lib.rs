//! Fuzz targets of `corespun-http2`: plain functions that take any bytes and panic if a guarantee
//! is broken.
//!
//! - [`connection_bytes`]: no panic, and the same events and output however the input is split.
//! - [`connection_frames`]: frames of every kind between calls of an application; holds windows,
//!   the order of events and of frames, memory, and service afterwards.
//! - [`hpack_round_trip`]: what is encoded is decoded to the same fields.
//! - [`hpack_foreign`]: the decoder reads what that of the `h2` crate reads.
//!
//! `corpus/TARGET.txt` keeps one input a line, in hexadecimal. `cargo test` replays all of them;
//! `cargo x fuzz TARGET --minutes M` looks for more, guided by coverage.
//!
//! **Not here:** the engine (libFuzzer, behind the feature `libfuzzer`), and seeds: the simulation
//! in `http2/tests/sim` makes its own decisions for the same duel.
#![forbid(unsafe_code)]

mod bytes;
mod decisions;
mod duel;
mod foreign;
mod hpack;

pub use bytes::connection_bytes;
pub use decisions::connection_frames;
pub use hpack::{hpack_foreign, hpack_round_trip};

/// A function that any bytes may be given.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 4] = [
    ("connection_bytes", connection_bytes),
    ("connection_frames", connection_frames),
    ("hpack_round_trip", hpack_round_trip),
    ("hpack_foreign", hpack_foreign),
];
