//! Keys that verify tokens: given directly, or a JWK Set (RFC 7517) in a file.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::error::KeyError;

/// Shortest permitted secret in bytes; a shorter one can be guessed (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Source of keys.
#[derive(Clone)]
pub struct Keys(Source);

#[derive(Clone)]
enum Source {
    Given(Key),
    Set(String),
    File(PathBuf),
}

impl Keys {
    /// Returns a key for HS256: a secret of at least 32 bytes that issuer and server share.
    ///
    /// # Errors
    ///
    /// The secret is shorter.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        let key = Key::secret(None, secret)?;
        Ok(Self(Source::Given(key)))
    }

    /// Returns a key for RS256: an RSA public key as PEM text.
    ///
    /// # Errors
    ///
    /// The text is not such a key.
    pub fn rs256_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = DecodingKey::from_rsa_pem(pem);
        let key = key.map_err(|error| KeyError::content("the RSA key", error))?;
        Ok(Self(Source::Given(Key::new(None, Algorithm::RS256, key))))
    }

    /// Returns a key for ES256: a public key on the curve P-256, as PEM text.
    ///
    /// # Errors
    ///
    /// The text is not such a key.
    pub fn es256_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = DecodingKey::from_ec_pem(pem);
        let key = key.map_err(|error| KeyError::content("the P-256 key", error))?;
        Ok(Self(Source::Given(Key::new(None, Algorithm::ES256, key))))
    }

    /// Returns the keys of a JWK Set given as text. Keys for HS256, RS256 and ES256 are used;
    /// others are ignored.
    pub fn jwks(text: impl Into<String>) -> Self {
        Self(Source::Set(text.into()))
    }

    /// Returns the keys of a JWK Set in a file, which is read again when it changes.
    pub fn jwks_file(path: impl AsRef<Path>) -> Self {
        Self(Source::File(path.as_ref().to_owned()))
    }

    /// Returns the text to parse; `None` for a key that was given directly.
    pub(crate) fn read(&self) -> Result<Option<String>, KeyError> {
        match &self.0 {
            Source::Given(_) => Ok(None),
            Source::Set(text) => Ok(Some(text.clone())),
            Source::File(path) => {
                let text = fs::read_to_string(path).map_err(|source| {
                    let path = path.clone();
                    KeyError::Read { path, source }
                })?;
                Ok(Some(text))
            }
        }
    }

    /// Returns the keys, given the result of [`read`](Self::read).
    pub(crate) fn parse(&self, text: Option<&str>) -> Result<Vec<Key>, KeyError> {
        match (&self.0, text) {
            (Source::Given(key), _) => Ok(vec![key.clone()]),
            (_, text) => parse_set(&self.name(), text.unwrap_or_default()),
        }
    }

    /// Returns true if there is a file to watch.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self.0, Source::File(_))
    }

    fn name(&self) -> String {
        match &self.0 {
            Source::Given(_) => "the key".to_owned(),
            Source::Set(_) => "the JWK Set".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }
}

/// Shows the source and never the content, which may be a secret.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.name())
    }
}

/// Key that verifies only its own algorithm, whatever algorithm a token names.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

impl Key {
    fn new(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Self {
        Self { id, algorithm, key }
    }

    fn secret(id: Option<String>, secret: &[u8]) -> Result<Self, KeyError> {
        let len = secret.len();
        if len < SECRET_BYTES_MIN {
            let reason = format!("it has {len} bytes, and at least {SECRET_BYTES_MIN} are needed");
            return Err(KeyError::content("the HS256 secret", reason));
        }
        Ok(Self::new(
            id,
            Algorithm::HS256,
            DecodingKey::from_secret(secret),
        ))
    }

    /// Returns true if a token with this header could be signed with this key. A token need not
    /// name its key.
    pub(crate) fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let named = self.id.as_deref().zip(id);
        self.algorithm == algorithm && named.is_none_or(|(ours, theirs)| ours == theirs)
    }
}

fn parse_set(name: &str, text: &str) -> Result<Vec<Key>, KeyError> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| KeyError::content(name, error))?;
    let mut keys = Vec::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        let Some(algorithm) = algorithm(jwk).filter(|_| is_for_signatures(jwk)) else {
            tracing::debug!(name, index, "a key for other purposes is passed over");
            continue;
        };
        let wrong = |reason| KeyError::content(format!("key {index} of {name}"), reason);
        let key = DecodingKey::from_jwk(jwk).map_err(|error| wrong(error.to_string()))?;
        let id = jwk.common.key_id.clone();
        keys.push(match key.try_get_hmac_secret() {
            Ok(secret) => Key::secret(id, secret).map_err(|error| wrong(error.to_string()))?,
            Err(_) => Key::new(id, algorithm, key),
        });
    }
    if keys.is_empty() {
        let reason = "it holds no key for HS256, RS256 or ES256";
        return Err(KeyError::content(name, reason));
    }
    Ok(keys)
}

/// Returns the algorithm of a key, if it is supported; derived from the type of the key if it names
/// none.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let (by_kind, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let said = jwk.common.key_algorithm;
    said.is_none_or(|said| said == named).then_some(by_kind)
}

fn is_for_signatures(jwk: &Jwk) -> bool {
    let common = &jwk.common;
    let uses = common.public_key_use.as_ref();
    let operations = common.key_operations.as_ref();
    uses.is_none_or(|found| *found == PublicKeyUse::Signature)
        && operations.is_none_or(|found| found.contains(&KeyOperations::Verify))
}
