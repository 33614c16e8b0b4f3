//! Verification of tokens: signature, time, issuer and audience.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{MetadataMap, Status};
use corespun_runtime::{sleep, spawn_blocking};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header, get_current_timestamp};
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::error::KeyError;
use crate::keys::{Key, Keys};

/// Default tolerance for the difference between clocks.
const LEEWAY: Duration = Duration::from_secs(60);

/// Longest token that is verified, in bytes; no token that fits into a header is longer.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Number of verified tokens in the cache. Clients send their token with each call, and verifying a
/// signature takes longer than serving a small call.
const KNOWN_MAX: usize = 4096;

/// Verifier of JSON Web Tokens (RFC 7519) signed with HS256, RS256 or ES256. Belongs to one shard,
/// so that verification takes no lock.
pub struct Verifier {
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
    leeway: Duration,
    loaded: RefCell<Rc<[Key]>>,
    /// Fingerprint of the keys, to detect a change.
    print: Cell<u64>,
    /// Verified tokens, until they expire.
    known: RefCell<HashMap<Box<str>, Rc<Claims>>>,
}

impl Verifier {
    /// Creates a verifier that accepts any issuer and audience, if the token is signed with one of
    /// these keys and has an expiry.
    ///
    /// # Errors
    ///
    /// The keys cannot be read or are invalid.
    pub fn new(keys: Keys) -> Result<Self, KeyError> {
        let text = keys.read()?;
        let loaded = keys.parse(text.as_deref())?;
        Ok(Self {
            keys,
            issuer: None,
            audience: None,
            leeway: LEEWAY,
            loaded: RefCell::new(loaded.into()),
            print: Cell::new(print(text.as_deref())),
            known: RefCell::default(),
        })
    }

    /// Accepts only tokens of this issuer (`iss`).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts only tokens intended for this audience (`aud`).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the tolerance for the difference between the issuer's clock and ours. Default: one
    /// minute.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Verifies the token of a call: `authorization: Bearer TOKEN` (RFC 6750, section 2.1).
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED when there is no token, more than one, or an invalid one.
    pub fn bearer(&self, metadata: &MetadataMap) -> Result<Rc<Claims>, Status> {
        let mut values = metadata.get_all("authorization");
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Status::unauthenticated("the call needs one bearer token"));
        };
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                self.verify(token.trim_start_matches(' '))
            }
            _ => Err(Status::unauthenticated(
                "the authorization is no bearer token",
            )),
        }
    }

    /// Verifies a token.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED with the reason: not a token, an invalid signature, a token that has expired
    /// or is not valid yet, another issuer or audience.
    pub fn verify(&self, token: &str) -> Result<Rc<Claims>, Status> {
        if let Some(claims) = self.known.borrow().get(token) {
            let end = claims.expires_at.saturating_add(self.leeway.as_secs());
            if end >= get_current_timestamp() {
                return Ok(Rc::clone(claims));
            }
        }
        let claims = Rc::new(self.examine(token)?);
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(token.into(), Rc::clone(&claims));
        Ok(claims)
    }

    fn examine(&self, token: &str) -> Result<Claims, Status> {
        if token.len() > TOKEN_BYTES_MAX {
            let text = format!("the token has {} bytes, too many", token.len());
            return Err(Status::unauthenticated(text));
        }
        let head = decode_header(token).map_err(|error| refused(&error))?;
        let keys = Rc::clone(&self.loaded.borrow());
        let mut outcome = Err(Status::unauthenticated("the token's key is not known"));
        let fitting = keys
            .iter()
            .filter(|key| key.fits(head.alg, head.kid.as_deref()));
        for key in fitting {
            match decode::<Map<String, Value>>(token, &key.key, &self.validation(key)) {
                Ok(token) => return Ok(Claims::new(token.claims)),
                Err(error) => outcome = Err(refused(&error)),
            }
        }
        outcome
    }

    /// Returns the checks beyond the signature for a token signed with `key`.
    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp"];
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    /// Replaces the keys with newly read ones; returns true if they had changed. Cached tokens are
    /// then verified again, because the key of a valid one may be gone.
    fn replace(&self, text: Option<&str>) -> Result<bool, KeyError> {
        let print = print(text);
        if print == self.print.get() {
            return Ok(false);
        }
        let keys = self.keys.parse(text)?;
        *self.loaded.borrow_mut() = keys.into();
        self.print.set(print);
        self.known.borrow_mut().clear();
        Ok(true)
    }

    /// Reads the file of keys again.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is invalid; the previous keys stay in use.
    pub fn reload(&self) -> Result<bool, KeyError> {
        self.replace(self.keys.read()?.as_deref())
    }

    /// Reads the file of keys again every `pause`, while the verifier exists. Logs an invalid file
    /// once.
    ///
    /// # Panics
    ///
    /// Outside a shard.
    pub async fn watch(self: Rc<Self>, pause: Duration) {
        let mut told = None;
        let (keys, verifier) = (self.keys.clone(), Rc::downgrade(&self));
        drop(self);
        while keys.may_change() {
            sleep(pause).await;
            let file = keys.clone();
            let text = spawn_blocking(move || file.read()).await;
            let Some(verifier) = verifier.upgrade() else {
                return;
            };
            let outcome = text.and_then(|text| verifier.replace(text.as_deref()));
            let fault = outcome.err().map(|error| error.to_string());
            if let Some(error) = fault.as_ref().filter(|_| fault != told) {
                tracing::warn!(error, "kept the keys of tokens: the new ones are invalid");
            }
            told = fault;
        }
    }
}

fn print(text: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Returns the status for an invalid token. It may describe the content of the token, but not the
/// internal state of a library.
fn refused(error: &Error) -> Status {
    let reason = match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidSignature => "the token's signature is invalid",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "the token's algorithm is not accepted"
        }
        ErrorKind::MissingRequiredClaim(name) => {
            return Status::unauthenticated(format!("the token lacks the claim {name:?}"));
        }
        ErrorKind::InvalidClaimFormat(name) => {
            return Status::unauthenticated(format!("the token's claim {name:?} is malformed"));
        }
        _ => "the token is malformed",
    };
    Status::unauthenticated(reason)
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
