//! Calls over TLS and Unix sockets: whom both ends see, who is refused, certificates that change.

#[path = "../../../tls/tests/tls/authority.rs"]
mod authority;
#[path = "../engines/mod.rs"]
mod engines;

mod calls;
mod limits;
mod refusals;
mod reload;
mod world;
