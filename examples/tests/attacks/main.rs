//! Attacks that need handlers with real work: the user service on SQLite, in a separate process.
//!
//! Peers, server, good client and CPUs are those of `benches/tests/attacks`, described in its
//! `main.rs`. `cargo x attacks` runs both, and both add rows to its table.

#[path = "../../../benches/tests/attacks/peer.rs"]
#[expect(dead_code, reason = "other attacks use more of it")]
mod peer;
#[path = "../../../benches/tests/attacks/place.rs"]
#[expect(dead_code, reason = "other attacks use more of it")]
mod place;
#[path = "../../../benches/tests/attacks/seen.rs"]
#[expect(dead_code, reason = "other attacks use more of it")]
mod seen;
#[path = "../../../benches/tests/attacks/server.rs"]
mod server;
#[path = "../../../benches/tests/attacks/wire.rs"]
#[expect(dead_code, reason = "other attacks use more of it")]
mod wire;
#[path = "../../../benches/tests/attacks/witness.rs"]
mod witness;

mod stalled;

use corespun_examples::user;

/// Program of the server under attack.
const SERVER: &str = env!("CARGO_BIN_EXE_users");
