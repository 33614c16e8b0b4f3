//! Known attacks on HTTP/2 servers, each against a real server process that serves other clients.
//!
//! The server must respond to each attack as `docs/attacks.md` says. An attack may make it hold at
//! most 64 MiB more than when idle. A well-behaved client must not be affected: all its calls
//! succeed, and its p99 is at most three times the value before the attack.
//!
//! | module | contents |
//! |---|---|
//! | `wire` | frames and header blocks, without validation |
//! | `peer`, `seen` | connection of an attacker, and the responses that it reads |
//! | `server`, `witness`, `place` | server, well-behaved client, and the CPUs of both |
//! | `trial` | one attack, with its verdict |
//! | others | attacks, by family |
//!
//! `CORESPUN_ENGINE` selects the engine of the server.

mod floods;
mod headers;
mod identifiers;
mod peer;
mod place;
mod resets;
mod seen;
mod server;
mod slow;
mod smuggling;
mod trial;
mod windows;
mod wire;
mod witness;

use corespun_benches::services::user;

/// Program of the server under attack.
const SERVER: &str = env!("CARGO_BIN_EXE_bench-corespun");
