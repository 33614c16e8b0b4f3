//! Claims of a token about its bearer.

use serde_json::{Map, Value};

/// Claims of a verified token (RFC 7519).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Subject of the token (`sub`).
    pub subject: Option<String>,
    /// Issuer of the token (`iss`).
    pub issuer: Option<String>,
    /// Audience that the token is intended for (`aud`).
    pub audience: Vec<String>,
    /// Scopes that the token grants: the words of `scope` (RFC 8693, section 4.2), or of `scp`.
    pub scopes: Vec<String>,
    /// End of validity in seconds since 1970 (`exp`).
    pub expires_at: u64,
    /// All claims, including those above.
    pub all: Map<String, Value>,
}

impl Claims {
    pub(crate) fn new(all: Map<String, Value>) -> Self {
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut scopes = words(all.get("scope"));
        scopes.extend(words(all.get("scp")));
        // Rounded down to whole seconds, so that a fraction does not prolong the validity.
        let expires_at = all.get("exp").and_then(Value::as_f64);
        Self {
            subject: text("sub"),
            issuer: text("iss"),
            audience: list(all.get("aud")),
            scopes,
            expires_at: expires_at.map_or(0, |seconds| seconds as u64),
            all,
        }
    }

    /// Returns true if the token grants `scope`.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|found| found == scope)
    }
}

/// Returns the texts of a claim that is one text, or a list of them.
fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(values)) => {
            let texts = values.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the words of a claim that is one text, or a list of them.
fn words(value: Option<&Value>) -> Vec<String> {
    let texts = list(value);
    let words = texts.iter().flat_map(|text| text.split_ascii_whitespace());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::Claims;

    fn check(json: &str, subject: Option<&str>, audience: &[&str], scopes: &[&str]) {
        let claims = Claims::new(serde_json::from_str(json).expect(json));
        assert_eq!(claims.subject.as_deref(), subject, "{json}");
        assert_eq!(claims.audience, audience, "{json}");
        assert_eq!(claims.scopes, scopes, "{json}");
    }

    #[test]
    fn claims_of_all_forms() {
        check("{}", None, &[], &[]);
        check(
            r#"{"sub":"ada","aud":"users"}"#,
            Some("ada"),
            &["users"],
            &[],
        );
        check(
            r#"{"aud":["a","b"],"scope":"read  write"}"#,
            None,
            &["a", "b"],
            &["read", "write"],
        );
        check(r#"{"scp":["read","write"]}"#, None, &[], &["read", "write"]);
        check(
            r#"{"scp":"read write","scope":7,"sub":1}"#,
            None,
            &[],
            &["read", "write"],
        );
    }
}
