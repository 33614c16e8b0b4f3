//! Descriptor sets of Protobuf, handled as bytes.
//!
//! The Rust types of descriptors lack custom options and the newest fields. Sets are therefore
//! never decoded and encoded again between a compiler and reflection.
//!
//! - [`files`] splits a set into its files, each with its name.
//! - [`without_source_info`] removes comments and positions.
//! - [`lowered`] converts files of editions 2023 and 2024 to proto2 or proto3 for programs without
//!   support for editions, such as `prost` and `prost-reflect`.
//!
//! ```
//! // One file, `name: "a.proto"`.
//! let set = b"\x0a\x09\x0a\x07a.proto";
//! assert_eq!(corespun_descriptor::files(set)?[0].name, "a.proto");
//! # Ok::<(), corespun_descriptor::Error>(())
//! ```
//!
//! **Not here:** Rust types of descriptors; `prost-types` and `prost-reflect` have them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod editions;
mod error;
mod features;
mod set;
pub mod wire;

pub use editions::lowered;
pub use error::Error;
pub use set::{File, files, without_source_info};
