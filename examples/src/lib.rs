//! The user service on SQLite, a client that calls all four kinds, an echo, and the service of
//! gRPC's interoperability tests.
//!
//! ```text
//!   users           Users (service) ──▶ Store ──▶ SQLite, one connection per shard
//!   whoami          tells callers what TLS or the kernel says of them
//!   heavy           calls that are lawful and heavy, for tests of flow control
//!   echo            what a call carries beside its messages: metadata, details, compression
//!   interop-server  TestService and load reports, which clients of all languages try themselves on
//!   users-relay     the same service, which asks another server, its traces handed on
//!   users-client    tour: GetUser, ListUsers, ImportUsers, Lookup, each answer checked
//! ```
//!
//! A service is opened once on each shard and owns what it needs: no lock, no `Arc`.
//!
//! ```no_run
//! use std::path::Path;
//! use corespun::Server;
//! use corespun_examples::user::user_service_server::UserServiceServer;
//! use corespun_examples::{Store, Users};
//!
//! let path = Path::new("users.db");
//! Store::create(path)?;
//! Server::builder()
//!     .listen("127.0.0.1:50051")
//!     .service(|_shard| Ok(UserServiceServer::new(Users::new(Store::open(path)?))))
//!     .run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Blocking.** Handlers here call SQLite on the shard's own thread: a row whose page is cached
//! takes microseconds, less than handing it to another thread and back. The price is paid by
//! imports: one holds its shard for as long as its transaction takes, and for up to 5 seconds
//! more while another shard imports. A store that waits for a disk or a network belongs in
//! `corespun::runtime::spawn_blocking`, for while a handler blocks, every connection of its
//! shard stands still.
//!
//! **Not here:** flags and logs, which the programs in `src/bin` set up.
#![forbid(unsafe_code)]

pub mod echo;
#[cfg(doctest)]
mod guides;
pub mod heavy;
mod import;
pub mod interop;
mod relay;
mod service;
mod store;
pub mod telemetry;
pub mod tour;

pub use import::{IMPORT_BYTES_MAX, IMPORT_USERS_MAX};
pub use relay::Relay;
pub use service::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Users};
pub use store::{FIRST_USERS, ImportError, OpenCause, OpenError, Store};

/// What the generator makes of `whoami.proto`: messages, trait, client.
pub mod whoami {
    corespun::include_proto!("whoami");
}

/// What the generator makes of `user.proto`: messages, trait, client.
pub mod user {
    corespun::include_proto!("user");
}
