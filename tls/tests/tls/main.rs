//! TLS between peers of every kind: in memory, on real sockets, and with rustls's own client.

mod authority;
mod memory;
mod pair;
mod reload;
mod sockets;
mod strangers;
