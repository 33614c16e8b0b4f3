//! Tokens, and who may call what.
//!
//! A [`Verifier`] checks the JSON Web Token that a call brings, and answers its [`Claims`]. A
//! [`Policy`] says what a caller must have shown for each method: a token with a scope, a client
//! certificate with a name, a Unix socket opened by a user. A [`Guard`] has both, and is an
//! interceptor of the server. All are plain values of a shard.
//!
//! ```
//! use corespun_auth::{Caller, Keys, Policy, Rule, Verifier};
//! use corespun_codec::MetadataMap;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = Keys::hs256(b"a secret of thirty-two bytes ...")?;
//! let verifier = Verifier::new(keys)?.issuer("https://issuer.example").audience("users");
//! let policy = Policy::new()
//!     .service("grpc.health.v1.Health", Rule::Anybody)
//!     .service("user.UserService", Rule::scope("users.read"));
//!
//! let claims = verifier.bearer(&MetadataMap::new());
//! let caller = Caller { claims: claims.as_deref().ok(), identity: None };
//! assert!(policy.check("/grpc.health.v1.Health/Check", &caller).is_ok());
//! let refused = policy.check("/user.UserService/GetUser", &caller).unwrap_err();
//! assert_eq!(refused.code(), corespun_codec::Code::Unauthenticated);
//! # Ok(())
//! # }
//! ```
//!
//! Whether a token has ended is asked of the system's calendar.
//!
//! **Not here:** issuing tokens, fetching keys over a network, TLS.
#![forbid(unsafe_code)]

mod claims;
mod error;
mod guard;
mod interceptor;
mod keys;
mod policy;
mod verifier;

pub use claims::Claims;
pub use error::KeyError;
pub use guard::Guard;
pub use keys::Keys;
pub use policy::{Caller, Policy, Rule};
pub use verifier::Verifier;
