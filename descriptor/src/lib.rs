//! Descriptor sets of Protobuf, handled as bytes.
//!
//! Custom options and fields newer than any Rust type of descriptors stay in the bytes, so sets are
//! never decoded and encoded again on their way from a compiler to reflection.
//!
//! - [`files`] splits a set into its files, each with its name.
//! - [`without_source_info`] removes comments and positions.
//! - [`lowered`] turns files of editions 2023 and 2024 into proto2 or proto3 for programs that know
//!   nothing of editions, such as `prost` and `prost-reflect`.
//!
//! ```
//! // One file, `name: "a.proto"`.
//! let set = b"\x0a\x09\x0a\x07a.proto";
//! assert_eq!(corespun_descriptor::files(set)?[0].name, "a.proto");
//! # Ok::<(), corespun_descriptor::Error>(())
//! ```
//!
//! **Not here:** names and types of descriptors, which `prost-types` and `prost-reflect` have.

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
