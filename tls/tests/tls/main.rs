//! TLS between ends of every kind: ours in memory, ours on real sockets, rustls's own beside ours.

mod authority;
mod memory;
mod pair;
mod reload;
mod sockets;
mod strangers;
