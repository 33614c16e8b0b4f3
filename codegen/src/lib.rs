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
//! - `user_service_server`, with the trait `UserService` to implement and `UserServiceServer`,
//!   which serves what implements it;
//! - `user_service_client`, with `UserServiceClient`, which has one method per RPC;
//! - `user_service_methods`, with constants such as `GET_USER`;
//! - `FILE_DESCRIPTOR_SET`, for reflection.
//!
//! A module that would have the name of another module of the package gets an underscore at its
//! end. Other items of one name are an error that tells both.
//!
//! [`configure`] changes what is made and where it refers to. A set of descriptors that another
//! compiler made goes in through [`Builder::compile_fds`]. All input takes one path:
//!
//! ```text
//!   .proto ──compiler or protoc──▶ descriptor set ──prost-build──▶ messages ─┐
//!                                   │  └─▶ services ──this crate──▶ text ────┴▶ <package>.rs
//!                                   └─▶ corespun_descriptor.bin, byte for byte
//! ```
//!
//! # The compiler that is built in
//!
//! It reads proto2 and proto3 as `protoc` does, with `google/protobuf/*.proto` built in: copies in
//! the folders are not read. It lacks three things, which [`Builder::protoc`] (or the variable
//! `PROTOC`) has: editions in source form, options of extension ranges of one number, and negative
//! identifiers such as `-inf` in options.
//!
//! # Coming from tonic-build
//!
//! Options that are not in this table have their name here.
//!
//! | tonic-build, prost-build | [`Builder`] |
//! |---|---|
//! | `build_client(false)` | `client(false)` |
//! | `build_server(false)` | `server(false)` |
//! | `build_transport(false)` | nothing to leave out: `connect` needs no other crate |
//! | `generate_default_stubs(true)` | `default_stubs(true)` |
//! | `btree_map(path)`, `bytes(path)`, … | a list of paths: `bytes(&["."])` |
//! | `file_descriptor_set_path(path)` | `FILE_DESCRIPTOR_SET`, always made |
//! | `protoc_executable(path)` | `protoc(path)` |
//! | `skip_protoc_run()` | `compile_fds(bytes)` |
//! | `skip_source_info()` | `disable_comments(&["."])` |
//! | `proto_path(path)` | `runtime_path(path)` |
//! | `codec_path(path)` | none: messages are those of `prost` |
//! | `use_arc_self(true)` | `from_rc` of a server |
//! | `service_generator(generator)` | none: `generate` returns the text |
//! | `with_extended_rust_types()` | `extern_path(proto, rust)` |
//! | feature `cleanup-markdown` | always: comments have no code that rustdoc would run |
//! | `format(true)` | always in the layout of rustfmt, except for messages |
//!
//! # The plugin
//!
//! `cargo install corespun-build` installs `protoc-gen-corespun`, for `protoc
//! --corespun_out=src/gen --corespun_opt=client=false` and for `buf generate` (with
//! `strategy: all`). [`plugin::answer`] has its options.
//!
//! **Not here:** the types that the generated text refers to; they live behind the `corespun`
//! facade, or wherever [`Builder::runtime_path`] says.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attributes;
mod builder;
mod client;
mod comments;
mod compiler;
mod error;
mod meetings;
mod methods;
mod names;
mod output;
mod package;
pub mod plugin;
mod protoc;
mod server;
mod service;
mod writer;

pub use builder::Builder;
pub use error::Error;
pub use output::File;

use std::path::Path;

/// Compiles `protos`, each found in one of the folders `includes`, into `OUT_DIR`.
///
/// # Errors
/// As [`Builder::compile`]. The text reads well from `unwrap` in a build script.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    configure().compile(protos, includes)
}

/// Returns the options of [`compile`], to be changed first.
pub fn configure() -> Builder {
    Builder::new()
}
