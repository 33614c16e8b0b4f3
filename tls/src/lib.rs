//! TLS as a [`Protocol`](corespun_runtime::Protocol) that wraps another one: sans-io, with rustls.
//!
//! ```text
//!   runtime pump ──▶ Tls::receive ──▶ records decrypted in place ──▶ inner.receive
//!   runtime pump ◀── Tls::transmit ◀── encrypted into the output ◀── inner.transmit
//! ```
//!
//! An [`Acceptor`] or a [`Connector`] wraps a socket. Both are loaded from a configuration
//! ([`TlsConfig`], [`ClientTlsConfig`]) and shared by all shards. After the handshake, an
//! [`Inside`] creates the wrapped protocol, given the identity of the peer. Deadlines, drains,
//! wakeups and backpressure pass through: the wrapped protocol cannot distinguish its socket from a
//! plain one.
//!
//! ```no_run
//! use std::rc::Rc;
//! use corespun_runtime::{Peer, Protocol, turn_time};
//! use corespun_tls::{Acceptor, ConfigError, Handshake, TlsConfig};
//!
//! fn load() -> Result<Acceptor, ConfigError> {
//!     TlsConfig::from_pem_files("server.pem", "server.key").client_ca("clients.pem").load()
//! }
//!
//! /// Returns the protocol of this peer's socket, which starts after a valid certificate.
//! fn accept(
//!     acceptor: &Acceptor,
//!     peer: Peer,
//!     spoken: fn() -> Box<dyn Protocol>,
//! ) -> Result<Box<dyn Protocol>, corespun_tls::Error> {
//!     let name = Rc::from(peer.address.map_or(String::new(), |address| address.to_string()));
//!     let inside = move |handshake: Handshake| {
//!         assert!(!handshake.certificates.is_empty(), "none is let in without one");
//!         spoken()
//!     };
//!     acceptor.accept(name, turn_time(), Box::new(inside))
//! }
//! ```
//!
//! An idle connection owns no buffer. Time is passed in, with two exceptions: rustls reads the
//! system's calendar for the validity of certificates and the age of session tickets.
//!
//! **Not here:** sockets, HTTP, access control.
#![forbid(unsafe_code)]

mod client;
mod error;
mod handshake;
mod pem;
mod protocol;
mod role;
mod server;
mod trust;

pub use client::{ClientTlsConfig, Connector};
pub use error::{ConfigError, Error};
pub use handshake::{Handshake, Inside};
pub use server::{Acceptor, TlsConfig};
pub use trust::Roots;
