//! Issuer of tokens for these tests.

use std::time::{SystemTime, UNIX_EPOCH};

use corespun_auth::{KeyError, Keys};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

pub const SECRET: &[u8; 32] = b"thirty-two bytes that are secret";
/// Key made for these tests only.
const RSA: &[u8] = include_bytes!("rsa-test-only.pem");

/// Returns the moment `seconds` from now, in seconds since 1970.
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs() as i64 + seconds
}

#[derive(Clone)]
pub struct Issuer {
    head: Header,
    key: EncodingKey,
    public: Option<String>,
}

impl Issuer {
    fn new(algorithm: Algorithm, key: EncodingKey, public: Option<String>) -> Self {
        let head = Header::new(algorithm);
        Self { head, key, public }
    }

    pub fn hs256() -> Self {
        Self::new(Algorithm::HS256, EncodingKey::from_secret(SECRET), None)
    }

    pub fn hs384() -> Self {
        Self::new(Algorithm::HS384, EncodingKey::from_secret(SECRET), None)
    }

    /// Returns an issuer that no verifier accepts.
    pub fn other() -> Self {
        let key = EncodingKey::from_secret(b"quite another secret, as long   ");
        Self::new(Algorithm::HS256, key, None)
    }

    pub fn rs256() -> Self {
        let key = EncodingKey::from_rsa_pem(RSA).expect("a key");
        Self::new(Algorithm::RS256, key, None)
    }

    /// Returns an issuer with a new ES256 key.
    pub fn es256() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Self::new(Algorithm::ES256, key, Some(pair.public_key_pem()))
    }

    pub fn named(mut self, id: &str) -> Self {
        self.head.kid = Some(id.to_owned());
        self
    }

    pub fn nameless(&self) -> Self {
        let mut nameless = self.clone();
        nameless.head.kid = None;
        nameless
    }

    pub fn token(&self, claims: &Value) -> String {
        encode(&self.head, claims, &self.key).expect("a token")
    }

    /// Returns the keys that verify tokens of this issuer.
    pub fn keys(&self) -> Result<Keys, KeyError> {
        match &self.public {
            Some(pem) => Keys::es256_pem(pem.as_bytes()),
            None if self.head.alg == Algorithm::RS256 => Ok(Keys::jwks(set(&[self]).to_string())),
            None => Keys::hs256(SECRET),
        }
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.head.alg).expect("a JWK");
        jwk.common.key_id.clone_from(&self.head.kid);
        serde_json::to_value(jwk).expect("JSON")
    }
}

/// Returns a JWK Set of the public keys of these issuers.
pub fn set(issuers: &[&Issuer]) -> Value {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({ "keys": keys })
}

/// Returns a token whose claims were changed after it was signed.
pub fn tamper(token: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    let other = Issuer::hs256().token(&json!({ "sub": "root", "exp": in_seconds(600) }));
    let claims = other.split('.').nth(1).expect("claims");
    parts[1] = claims;
    parts.join(".")
}

/// Returns a token signed by HMAC with the text of a public RSA key as the secret.
pub fn signed_with_public_key(claims: &Value) -> String {
    let jwk = Issuer::rs256().jwk();
    let modulus = jwk["n"].as_str().expect("a modulus");
    let key = EncodingKey::from_secret(modulus.as_bytes());
    encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
}

/// Returns a token with this header and no signature.
pub fn unsigned(head: &str, claims: &Value) -> String {
    let signed = Issuer::hs256().token(claims);
    let claims = signed.split('.').nth(1).expect("claims");
    format!("{}.{claims}.", base64(head))
}

/// Encodes as base64 for URLs, without padding (RFC 4648, section 5).
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            out.push(LETTERS[(bits >> (18 - 6 * place)) as usize & 63] as char);
        }
    }
    out
}
