//! Known attacks on HTTP/2 servers, each against a real server process while others use it.
//!
//! Every attack must be met with the answer that `docs/attacks.md` names, may make the server hold
//! at most 64 MiB more than idle, and must leave a well-behaved client alone: all its calls end
//! well, and its p99 is at most three times what it was just before.
//!
//! | room | what |
//! |---|---|
//! | `wire` | frames and header blocks, unchecked |
//! | `peer`, `seen` | an attacker's connection, and what it reads |
//! | `server`, `witness`, `place` | the server, the good client, and where each runs |
//! | `trial` | one attack, judged |
//! | the others | the attacks, by family |
//!
//! `CORESPUN_ENGINE` chooses what drives the server's sockets.

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

/// The server under attack.
const SERVER: &str = env!("CARGO_BIN_EXE_bench-corespun");
