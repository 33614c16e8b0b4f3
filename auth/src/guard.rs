//! Tokens and rules together, asked about each call.

use std::rc::Rc;

use corespun_codec::{Request, Status};

use crate::claims::Claims;
use crate::policy::{Caller, Policy};
use crate::verifier::Verifier;

/// Lets calls pass by a [`Policy`], with the tokens that a [`Verifier`] knows to hold.
///
/// It is an interceptor, of a server or of one service:
///
/// ```no_run
/// use std::rc::Rc;
/// use corespun_auth::{Guard, Keys, Policy, Rule, Verifier};
/// use corespun_server::Server;
///
/// let server = Server::builder().intercept(|_shard| {
///     let verifier = Rc::new(Verifier::new(Keys::jwks_file("keys.json"))?.audience("users"));
///     corespun_runtime::spawn(verifier.clone().watch(std::time::Duration::from_secs(5)));
///     let policy = Policy::new().service("user.UserService", Rule::scope("users.read"));
///     Ok(Guard::new(policy).tokens(verifier))
/// });
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
