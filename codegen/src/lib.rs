//! Rust code from Protobuf services, in a build script, without `protoc`.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), corespun_build::Error> {
//!     corespun_build::compile(&["proto/user.proto"], &["proto"])
//! }
//! ```
//!
//! In the crate, `corespun::include_proto!("user")` includes the generated code of package `user`:
//!
//! - its messages, by `prost`;
//! - `user_service_server`, with the trait `UserService` to implement and `UserServiceServer`,
//!   which serves an implementation of it;
//! - `user_service_client`, with `UserServiceClient`, which has one method per RPC;
//! - `user_service_methods`, with constants such as `GET_USER`;
//! - `FILE_DESCRIPTOR_SET`, for reflection.
//!
//! A module whose name conflicts with another module of the package gets a trailing underscore. Any
//! other name conflict is an error that names both items.
//!
//! [`configure`] returns a [`Builder`], which has options for the generated code. Its method
//! [`Builder::compile_fds`] takes a descriptor set that another compiler made. All input takes one
//! path:
//!
//! ```text
//!   .proto ──compiler or protoc──▶ descriptor set ──prost-build──▶ messages ─┐
//!                                   │  └─▶ services ──this crate──▶ text ────┴▶ <package>.rs
//!                                   └─▶ corespun_descriptor.bin, byte for byte
//! ```
//!
//! # The built-in compiler
//!
//! It reads proto2 and proto3 as `protoc` does. The files `google/protobuf/*.proto` are built in;
//! copies in the include folders are not read. Three features need `protoc` ([`Builder::protoc`] or
//! the variable `PROTOC`): editions in source form, options of extension ranges of one number, and
//! negative identifiers such as `-inf` in options.
//!
//! # Coming from tonic-build
//!
//! Options that are not in this table have the same name in [`Builder`].
//!
//! | tonic-build, prost-build | [`Builder`] |
//! |---|---|
//! | `build_client(false)` | `client(false)` |
//! | `build_server(false)` | `server(false)` |
//! | `build_transport(false)` | not needed: `connect` needs no other crate |
//! | `generate_default_stubs(true)` | `default_stubs(true)` |
//! | `btree_map(path)`, `bytes(path)`, … | a list of paths: `bytes(&["."])` |
//! | `file_descriptor_set_path(path)` | `FILE_DESCRIPTOR_SET`, always generated |
//! | `protoc_executable(path)` | `protoc(path)` |
//! | `skip_protoc_run()` | `compile_fds(bytes)` |
//! | `skip_source_info()` | `disable_comments(&["."])` |
//! | `proto_path(path)` | `runtime_path(path)` |
//! | `codec_path(path)` | none: messages are always those of `prost` |
//! | `use_arc_self(true)` | `from_rc` of a server |
//! | `service_generator(generator)` | none: `generate` returns the text |
//! | `with_extended_rust_types()` | `extern_path(proto, rust)` |
//! | feature `cleanup-markdown` | always on: comments contain no code that rustdoc would run |
//! | `format(true)` | always on: layout of rustfmt, except for messages |
//!
//! # The plugin
//!
//! `cargo install corespun-build` installs `protoc-gen-corespun`, for `protoc
//! --corespun_out=src/gen --corespun_opt=client=false` and for `buf generate` (with
//! `strategy: all`). [`plugin::answer`] describes its options.
//!
//! **Not here:** the types that generated code refers to. They are in the facade crate `corespun`,
//! or in the module that [`Builder::runtime_path`] names.

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
/// As for [`Builder::compile`]. `unwrap` in a build script prints the cause as plain text.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    configure().compile(protos, includes)
}

/// Returns a [`Builder`] with default options.
pub fn configure() -> Builder {
    Builder::new()
}
