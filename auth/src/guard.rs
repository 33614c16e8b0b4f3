//! Tokens and rules together: what an interceptor asks about each call.

use std::rc::Rc;

use corespun_codec::{Request, Status};

use crate::claims::Claims;
use crate::policy::{Caller, Policy};
use crate::verifier::Verifier;

/// Lets calls pass by a [`Policy`], with the tokens that a [`Verifier`] knows to hold.
///
/// An interceptor of a server asks it and hands the claims on:
///
/// ```ignore
/// server.intercept(|_shard| {
///     let guard = Guard::new(policy()).tokens(Rc::new(verifier()?));
///     Ok(move |call: &mut Incoming| {
///         if let Some(claims) = guard.admit(call.method(), call.request())? {
///             call.extensions_mut().insert(claims);
///         }
///         Ok(())
///     })
/// })
/// ```
#[derive(Debug)]
pub struct Guard {
    policy: Policy,
    verifier: Option<Rc<Verifier>>,
}

impl Guard {
    /// Goes by certificates and Unix users alone, so far.
    pub fn new(policy: Policy) -> Self {
        let verifier = None;
        Self { policy, verifier }
    }

    /// Takes tokens into account.
    pub fn tokens(mut self, verifier: Rc<Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Lets a call of the method at `path` pass, or says why not. Answers the claims of its token,
    /// if it brought one that anybody asked for.
    ///
    /// # Errors
    /// UNAUTHENTICATED when the call brings a token that does not hold, or nothing at all;
    /// PERMISSION_DENIED when what it brings is not enough.
    pub fn admit<T>(&self, path: &str, call: &Request<T>) -> Result<Option<Rc<Claims>>, Status> {
        if self.policy.is_open(path) {
            return Ok(None);
        }
        let brings_token = call.metadata().contains_key("authorization");
        let claims = match self.verifier.as_ref().filter(|_| brings_token) {
            Some(verifier) => Some(verifier.bearer(call.metadata())?),
            None => None,
        };
        let caller = Caller {
            claims: claims.as_deref(),
            identity: call.identity().map(|identity| &**identity),
        };
        self.policy.check(path, &caller)?;
        Ok(claims)
    }
}
