//! Traces over real sockets, on both engines: from caller to service to service, and to a collector.

mod collector;
mod exports;
mod spans;
mod world;
