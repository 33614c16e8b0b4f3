//! The server's connection joined with a caller in memory, without sockets.

mod allocations;
mod bounds;
mod calls;
mod health;
mod plain;
mod support;
mod waiting;
