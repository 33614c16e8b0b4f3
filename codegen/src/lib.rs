//! Protobuf services to Rust, in a build script, without `protoc`.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), corespun_build::Error> {
//!     corespun_build::compile(&["proto/user.proto"], &["proto"])
//! }
//! ```
//!
//! In the crate, `corespun::include_proto!("user")` brings in what was made of package `user`:
//!
//! - its messages, by `prost`;
//! - for each service a module of constants, such as `user_service::GET_USER`;
//! - a trait to implement, and `UserServiceServer`, which serves what implements it;
//! - `UserServiceClient`, with one method per RPC;
//! - `FILE_DESCRIPTOR_SET`, for reflection.
//!
//! [`configure`] changes what is made and where it refers to. A set of descriptors that another
//! compiler made goes in through [`Builder::compile_fds`]. The path is always the same:
//!
//! ```text
//!   .proto ──protox──▶ FileDescriptorSet ──prost-build──▶ messages ─┐
//!                              └──▶ services ──this crate──▶ text ──┴──▶ OUT_DIR/<package>.rs
//! ```
//!
//! **Not here:** the types that the generated text refers to; they live behind the `corespun`
//! facade, or wherever [`Builder::runtime_path`] says.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod builder;
mod client;
mod constants;
mod error;
mod names;
mod output;
mod package;
mod server;
mod service;
mod writer;

pub use builder::Builder;
pub use error::Error;
pub use output::File;
pub use prost_build;
pub use prost_types::FileDescriptorSet;

use std::path::Path;

/// Compiles `protos`, each found in one of the folders `includes`, into `OUT_DIR`.
///
/// # Errors
/// When a proto is wrong: the error names the file, line and column. When the output cannot be
/// written. It reads well from `unwrap` in a build script.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    configure().compile(protos, includes)
}

/// What [`compile`] does, to be changed first.
pub fn configure() -> Builder {
    Builder::new()
}
