//! Access rules of methods.

use std::collections::HashMap;
use std::fmt;

use corespun_codec::{PeerIdentity, Status};

use crate::claims::Claims;

/// Credentials of a caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// Claims of the caller's token, if it was verified.
    pub claims: Option<&'a Claims>,
    /// Identity of the connection: a certificate, or a process on the same machine.
    pub identity: Option<&'a PeerIdentity>,
}

impl Caller<'_> {
    fn certificate_names(&self) -> &[String] {
        let tls = self.identity.and_then(|identity| identity.tls.as_ref());
        tls.map_or(&[], |tls| &tls.names)
    }

    fn has_certificate(&self) -> bool {
        let tls = self.identity.and_then(|identity| identity.tls.as_ref());
        tls.is_some_and(|tls| !tls.certificates.is_empty())
    }

    fn unix_user(&self) -> Option<u32> {
        Some(self.identity?.unix.as_ref()?.uid)
    }

    fn is_known(&self) -> bool {
        self.claims.is_some() || self.has_certificate() || self.unix_user().is_some()
    }
}

/// Credentials that a caller must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No credentials.
    Anybody,
    /// Any credentials: a token, a certificate, or a process on the same machine.
    Known,
    /// Token with this scope.
    Scope(String),
    /// Token of this subject.
    Subject(String),
    /// Certificate with this name: a host or a URI such as `spiffe://example/users`.
    Certificate(String),
    /// Unix socket opened by this user.
    UnixUser(u32),
    /// At least one of these rules; an empty list denies all callers.
    Any(Vec<Rule>),
    /// All of these rules.
    All(Vec<Rule>),
}

impl Rule {
    /// Requires a token with this scope.
    pub fn scope(scope: impl Into<String>) -> Self {
        Self::Scope(scope.into())
    }

    /// Requires a certificate with this name.
    pub fn certificate(name: impl Into<String>) -> Self {
        Self::Certificate(name.into())
    }

    fn admits(&self, caller: &Caller<'_>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Known => caller.is_known(),
            Self::Scope(scope) => caller.claims.is_some_and(|claims| claims.has_scope(scope)),
            Self::Subject(subject) => {
                let claims = caller.claims;
                claims.is_some_and(|claims| claims.subject.as_ref() == Some(subject))
            }
            Self::Certificate(name) => caller.certificate_names().contains(name),
            Self::UnixUser(uid) => caller.unix_user() == Some(*uid),
            Self::Any(rules) => rules.iter().any(|rule| rule.admits(caller)),
            Self::All(rules) => rules.iter().all(|rule| rule.admits(caller)),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, rules: &[Rule], word: &str| {
            for (index, rule) in rules.iter().enumerate() {
                let between = if index > 0 { word } else { "" };
                write!(f, "{between}{rule}")?;
            }
            Ok(())
        };
        match self {
            Self::Anybody => f.write_str("nothing"),
            Self::Known => f.write_str("a known caller"),
            Self::Scope(scope) => write!(f, "scope {scope:?}"),
            Self::Subject(_) => f.write_str("another subject"),
            Self::Certificate(_) => f.write_str("another certificate"),
            Self::UnixUser(_) => f.write_str("another user"),
            Self::Any(rules) if rules.is_empty() => f.write_str("what nobody has"),
            Self::Any(rules) => list(f, rules, " or "),
            Self::All(rules) => list(f, rules, " and "),
        }
    }
}

/// Access rules of methods and services. A method without a rule is denied.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    methods: HashMap<String, Rule>,
    services: HashMap<String, Rule>,
    otherwise: Option<Rule>,
}

impl Policy {
    /// Creates a policy that denies everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rule of one method, by its path: `/package.Service/Method`.
    pub fn method(mut self, path: impl Into<String>, rule: Rule) -> Self {
        self.methods.insert(path.into(), rule);
        self
    }

    /// Sets the rule of a service's methods without a rule of their own: `package.Service`.
    pub fn service(mut self, name: impl Into<String>, rule: Rule) -> Self {
        self.services.insert(name.into(), rule);
        self
    }

    /// Sets the rule of all methods without another rule.
    pub fn otherwise(mut self, rule: Rule) -> Self {
        self.otherwise = Some(rule);
        self
    }

    /// Returns true if any caller may call a method, so that its token need not be verified.
    pub fn is_open(&self, path: &str) -> bool {
        self.rule(path) == Some(&Rule::Anybody)
    }

    /// Checks that `caller` may call the method at `path`.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED when the caller has no credentials and could pass with some;
    /// PERMISSION_DENIED when its credentials are not sufficient.
    pub fn check(&self, path: &str, caller: &Caller<'_>) -> Result<(), Status> {
        let Some(rule) = self.rule(path) else {
            return Err(Status::permission_denied(format!("nobody may call {path}")));
        };
        if rule.admits(caller) {
            return Ok(());
        }
        let text = format!("{path} needs {rule}");
        Err(match caller.is_known() {
            true => Status::permission_denied(text),
            false => Status::unauthenticated(text),
        })
    }

    fn rule(&self, path: &str) -> Option<&Rule> {
        if let Some(rule) = self.methods.get(path) {
            return Some(rule);
        }
        // Without its slash it is not a path, and must not match the rule of a service.
        let service = path
            .strip_prefix('/')
            .and_then(|path| path.rsplit_once('/'));
        let rule = service.and_then(|(service, _)| self.services.get(service));
        rule.or(self.otherwise.as_ref())
    }
}

#[cfg(test)]
mod tests;
