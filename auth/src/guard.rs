//! Access control of calls by tokens and rules.

use std::rc::Rc;

use corespun_codec::{Request, Status};

use crate::claims::Claims;
use crate::policy::{Caller, Policy};
use crate::verifier::Verifier;

/// Access control of calls: applies a [`Policy`], with tokens that a [`Verifier`] has verified.
///
/// It is an interceptor of a server or of one service:
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
    /// Creates a guard that uses certificates and Unix users only.
    pub fn new(policy: Policy) -> Self {
        let verifier = None;
        Self { policy, verifier }
    }

    /// Accepts bearer tokens, verified by `verifier`.
    pub fn tokens(mut self, verifier: Rc<Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Checks a call of the method at `path`. Returns the claims of its token, if it carries a
    /// token and the policy needs one.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED when the token is invalid, or the call has no credentials at all;
    /// PERMISSION_DENIED when its credentials are not sufficient.
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
