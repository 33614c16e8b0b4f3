//! The server's connection joined with a caller in memory, without sockets.

mod allocations;
mod calls;
mod codes;
mod compression;
mod interceptors;
mod layers;
mod streams;
mod support;
mod waiting;
