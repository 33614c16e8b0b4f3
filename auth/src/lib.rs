//! Authentication by tokens, and access control of methods.
//!
//! A [`Verifier`] verifies the JSON Web Token of a call, and returns its [`Claims`]. A [`Policy`]
//! defines the credentials that each method requires: a token with a scope, a client certificate
//! with a name, or a Unix socket opened by a user. A [`Guard`] combines both as an interceptor of
//! the server. All are plain values that belong to one shard.
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
//! The expiry of tokens is checked against the system's calendar.
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
