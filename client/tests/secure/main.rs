//! Calls over TLS and Unix sockets: identities that both ends see, refusals, and certificate
//! changes.

#[path = "../../../tls/tests/tls/authority.rs"]
mod authority;
#[path = "../engines/mod.rs"]
mod engines;

mod calls;
mod limits;
mod refusals;
mod reload;
mod world;
