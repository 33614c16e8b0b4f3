//! The server's connection joined with a caller in memory, without sockets.

mod allocations;
mod calls;
mod compression;
mod support;
mod waiting;
