//! Server connection joined with a client in memory, without sockets.

mod allocations;
mod bounds;
mod calls;
mod codes;
mod compression;
mod fairness;
mod health;
mod interceptors;
mod large_metadata;
mod layers;
mod lifetime;
mod limit_stats;
mod overload;
mod overload_sockets;
mod plain;
mod plain_sockets;
mod streams;
mod support;
mod waiting;
mod watched;
mod web;
