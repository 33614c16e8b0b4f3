//! Fuzz targets of `corespun-codec`: plain functions that take any bytes and panic if a guarantee
//! is broken.
//!
//! - [`deframer`]: any split gives the same messages and the same end; limits hold.
//! - [`request_head`]: a head is read, or refused with a status that can be sent; what was read can
//!   be written and read again.
//! - [`response_head`]: heads and trailers are read to a status, whatever they hold.
//! - [`texts`]: percent-encoding, timeouts and `-bin` values come back as they were.
//!
//! `corpus/TARGET.txt` keeps one input a line, in hexadecimal. `cargo test` replays all of them;
//! `cargo x fuzz TARGET --minutes M` looks for more, guided by coverage.
//!
//! **Not here:** the engine (libFuzzer, behind the feature `libfuzzer`).
#![forbid(unsafe_code)]

mod framing;
mod heads;
mod text;

pub use framing::deframer;
pub use heads::{request_head, response_head};
pub use text::texts;

/// A function that any bytes may be given.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 4] = [
    ("deframer", deframer),
    ("request_head", request_head),
    ("response_head", response_head),
    ("texts", texts),
];
