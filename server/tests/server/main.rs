//! The server's connection joined with a caller in memory, without sockets.

mod allocations;
mod bounds;
mod calls;
mod fairness;
mod health;
mod limit_stats;
mod plain;
mod support;
mod waiting;
