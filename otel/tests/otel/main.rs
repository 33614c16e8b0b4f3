//! Traces over real sockets, on both engines: from service to service, and to a collector.

mod collector;
mod environment;
mod exports;
mod spans;
mod world;
