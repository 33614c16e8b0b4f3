//! Who may call what.

use std::collections::HashMap;
use std::fmt;

use corespun_codec::{PeerIdentity, Status};

use crate::claims::Claims;

/// What a caller has shown of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The claims of its token, if that holds.
    pub claims: Option<&'a Claims>,
    /// What its connection says: certificate, or process on the same machine.
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

/// What a caller must have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Anybody,
    /// Anything: a token, a certificate, or being on the same machine.
    Known,
    /// A token with this scope.
    Scope(String),
    /// A token of this subject.
    Subject(String),
    /// A certificate with this name: a host or a URI such as `spiffe://example/users`.
    Certificate(String),
    /// A Unix socket opened by this user.
    UnixUser(u32),
    /// One of these at least; without any, nobody passes.
    Any(Vec<Rule>),
    /// Each of these.
    All(Vec<Rule>),
}

impl Rule {
    /// A token with this scope.
    pub fn scope(scope: impl Into<String>) -> Self {
        Self::Scope(scope.into())
    }

    /// A certificate with this name.
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

/// Rules for methods and services. What no rule names is denied.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    methods: HashMap<String, Rule>,
    services: HashMap<String, Rule>,
    otherwise: Option<Rule>,
}

impl Policy {
    /// Denies everything so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rule of one method, by its path: `/package.Service/Method`.
    pub fn method(mut self, path: impl Into<String>, rule: Rule) -> Self {
        self.methods.insert(path.into(), rule);
        self
    }

    /// The rule of a service's methods that have none of their own: `package.Service`.
    pub fn service(mut self, name: impl Into<String>, rule: Rule) -> Self {
        self.services.insert(name.into(), rule);
        self
    }

    /// The rule of whatever has none of its own.
    pub fn otherwise(mut self, rule: Rule) -> Self {
        self.otherwise = Some(rule);
        self
    }

    /// Whether a method may be called by whoever it is, so that a token need not be looked at.
    pub fn is_open(&self, path: &str) -> bool {
        self.rule(path) == Some(&Rule::Anybody)
    }

    /// Lets `caller` call the method at `path`, or says why not.
    ///
    /// # Errors
    /// UNAUTHENTICATED when the caller has shown nothing and might pass if it did;
    /// PERMISSION_DENIED when what it has shown is not enough.
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
        // Without its slash it is no path, and no service's rule may be found by it.
        let service = path
            .strip_prefix('/')
            .and_then(|path| path.rsplit_once('/'));
        let rule = service.and_then(|(service, _)| self.services.get(service));
        rule.or(self.otherwise.as_ref())
    }
}

#[cfg(test)]
mod tests;
