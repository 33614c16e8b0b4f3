//! Example services: users on SQLite with a client that makes all four kinds of calls, an echo, and
//! the service of gRPC's interoperability tests.
//!
//! ```text
//!   users           Users (service) ──▶ Store ──▶ SQLite, one connection per shard
//!   whoami          tells clients their identity as TLS or the kernel reports it
//!   heavy           valid but heavy calls, for tests of flow control
//!   echo            parts of a call other than messages: metadata, details, compression
//!   interop-server  TestService and load reports, for test clients in all languages
//!   users-relay     user service that forwards to another server, with its traces
//!   users-client    GetUser, ListUsers, ImportUsers, Lookup, with each response checked
//! ```
//!
//! Each shard creates its own copy of a service, which owns its data: no lock, no `Arc`.
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
//! **Blocking.** Handlers here call SQLite on the shard's own thread. A row whose page is cached
//! takes microseconds, less than passing it to another thread and back. Imports are the exception:
//! an import blocks its shard for the time of its transaction, and for up to 5 seconds more while
//! another shard imports. While a handler blocks, every connection of its shard waits. A store that
//! waits for a disk or a network belongs in `corespun::runtime::spawn_blocking`.
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

/// Code generated from `whoami.proto`: messages, trait, client.
pub mod whoami {
    corespun::include_proto!("whoami");
}

/// Code generated from `user.proto`: messages, trait, client.
pub mod user {
    corespun::include_proto!("user");
}
