//! Sockets, tasks and shards on the real kernel, each test on both engines.

#[path = "../kit/collector.rs"]
mod collector;
#[path = "../kit/engines.rs"]
mod engines;
#[path = "../kit/service.rs"]
mod service;
#[path = "../kit/streams.rs"]
mod streams;

mod backlog;
mod coalesce;
mod connect;
mod deaf_peers;
mod echo;
mod endings;
mod fairness;
mod lifetime;
mod listening;
mod pieces;
mod tasks;
