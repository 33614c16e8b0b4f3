//! The server's connection joined with a caller in memory, without sockets.

mod allocations;
mod bounds;
mod calls;
mod limit_stats;
mod support;
mod waiting;
