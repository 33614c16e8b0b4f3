//! Valid and invalid tokens of every kind, and keys that change.

mod calls;
mod issuer;

use std::rc::Rc;
use std::time::Duration;

use corespun_auth::{Guard, KeyError, Keys, Policy, Rule, Verifier};
use corespun_codec::{Code, MetadataMap, Request, Status};
use corespun_runtime::{block_on, now, sleep, spawn};
use serde_json::{Value, json};

use issuer::{Issuer, SECRET, in_seconds, set, tamper};

fn good() -> Value {
    json!({
        "sub": "ada", "iss": "https://issuer.test", "aud": "users",
        "scope": "read write", "exp": in_seconds(600),
    })
}

/// Returns the claims of `good` with some of them changed; `null` removes one.
fn but(changes: Value) -> Value {
    let mut claims = good();
    let (all, changes) = (claims.as_object_mut(), changes.as_object().cloned());
    let (all, changes) = (all.expect("an object"), changes.expect("an object"));
    for (name, value) in changes {
        match value {
            Value::Null => drop(all.remove(&name)),
            value => drop(all.insert(name, value)),
        }
    }
    claims
}

fn strict(keys: Result<Keys, KeyError>) -> Verifier {
    let verifier = Verifier::new(keys.expect("keys")).expect("a verifier");
    verifier.issuer("https://issuer.test").audience("users")
}

fn refused<T>(outcome: Result<T, Status>, reason: &str) {
    let Err(status) = outcome else {
        panic!("let in although {reason}");
    };
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(
        status.message().contains(reason),
        "{:?} says no {reason:?}",
        status.message()
    );
}

#[test]
fn the_three_algorithms() {
    for issuer in [Issuer::hs256(), Issuer::rs256(), Issuer::es256()] {
        let verifier = strict(issuer.keys());
        let token = issuer.token(&good());
        // The second time the token is in the cache.
        for _ in 0..2 {
            let claims = verifier.verify(&token).expect("a good token");
            assert_eq!(claims.subject.as_deref(), Some("ada"));
            assert!(claims.has_scope("read") && !claims.has_scope("rea"));
            assert_eq!(claims.all["iss"], "https://issuer.test");
        }
        refused(verifier.verify(&tamper(&token)), "signature is invalid");
        refused(verifier.verify(&Issuer::other().token(&good())), "");
    }
}

#[test]
fn every_bad_claim_is_named() {
    let issuer = Issuer::hs256();
    let verifier = strict(issuer.keys());
    let cases = [
        (json!({ "exp": in_seconds(-120) }), "has expired"),
        (json!({ "exp": null }), "lacks the claim \"exp\""),
        (json!({ "exp": "tomorrow" }), "\"exp\""),
        (json!({ "nbf": in_seconds(120) }), "not valid yet"),
        (json!({ "iss": "https://other.test" }), "another issuer"),
        (json!({ "iss": null }), "lacks the claim \"iss\""),
        (json!({ "aud": "others" }), "another audience"),
        (
            json!({ "aud": ["others", "strangers"] }),
            "another audience",
        ),
        (json!({ "aud": null }), "lacks the claim \"aud\""),
    ];
    for (changes, reason) in cases {
        refused(verifier.verify(&issuer.token(&but(changes))), reason);
    }
    // Clocks may differ within the leeway.
    let edge = json!({ "exp": in_seconds(-30), "nbf": in_seconds(30), "aud": ["x", "users"] });
    assert!(verifier.verify(&issuer.token(&but(edge.clone()))).is_ok());
    let exact = strict(issuer.keys()).leeway(Duration::ZERO);
    refused(exact.verify(&issuer.token(&but(edge))), "has expired");
}

#[test]
fn a_token_ends_also_when_it_is_known() {
    let issuer = Issuer::hs256();
    let verifier = strict(issuer.keys()).leeway(Duration::ZERO);
    let token = issuer.token(&but(json!({ "exp": in_seconds(2) })));
    assert!(verifier.verify(&token).is_ok());
    block_on(async {
        let limit = now() + Duration::from_secs(20);
        while verifier.verify(&token).is_ok() {
            assert!(now() < limit, "it does not end");
            sleep(Duration::from_millis(50)).await;
        }
    })
    .expect("a shard");
    refused(verifier.verify(&token), "has expired");
}

/// Checks that a token cannot choose its own algorithm, a known attack on verifiers.
#[test]
fn a_token_does_not_choose_its_algorithm() {
    let rsa = Issuer::rs256();
    let verifier = strict(rsa.keys());
    let mixed = issuer::signed_with_public_key(&good());
    refused(verifier.verify(&mixed), "key is not known");
    for head in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"typ":"JWT"}"#,
    ] {
        refused(verifier.verify(&issuer::unsigned(head, &good())), "");
    }
    let wrong = Issuer::hs384().token(&good());
    refused(
        strict(Issuer::hs256().keys()).verify(&wrong),
        "key is not known",
    );
}

#[test]
fn nonsense_is_no_token() {
    let verifier = strict(Issuer::hs256().keys());
    let long = "a.".repeat(10_000);
    for token in [
        "",
        ".",
        "..",
        "a.b.c",
        "eyJhbGciOiJIUzI1NiJ9..",
        "\u{7f}",
        &long,
    ] {
        refused(verifier.verify(token), "token");
    }
}

#[test]
fn the_authorization_of_a_call() {
    let issuer = Issuer::hs256();
    let (verifier, token) = (strict(issuer.keys()), issuer.token(&good()));
    let with = |values: &[String]| {
        let mut metadata = MetadataMap::new();
        for value in values {
            metadata.append("authorization", value).expect("ASCII");
        }
        verifier.bearer(&metadata)
    };
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert!(with(&[format!("{scheme} {token}")]).is_ok(), "{scheme}");
    }
    refused(with(&[]), "needs one bearer token");
    let twice = format!("Bearer {token}");
    refused(with(&[twice.clone(), twice]), "needs one bearer token");
    refused(with(&[format!("Basic {token}")]), "no bearer token");
    refused(with(&[token]), "no bearer token");
    refused(with(&["Bearer".to_owned()]), "no bearer token");
}

#[test]
fn a_guard_asks_for_tokens_where_rules_do() {
    let issuer = Issuer::hs256();
    let policy = Policy::new()
        .service("open.Service", Rule::Anybody)
        .service("read.Service", Rule::scope("read"))
        .service("root.Service", Rule::scope("root"));
    let guard = Guard::new(policy).tokens(Rc::new(strict(issuer.keys())));
    let (valid, ended) = (good(), but(json!({ "exp": in_seconds(-120) })));
    let (valid, ended) = (issuer.token(&valid), issuer.token(&ended));
    let admit = |path: &str, token: Option<&str>| {
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = format!("Bearer {token}");
            request
                .metadata_mut()
                .append("authorization", &value)
                .expect("ASCII");
        }
        let admitted = guard.admit(path, &request);
        admitted
            .map(|claims| claims.is_some())
            .map_err(|status| status.code())
    };
    assert_eq!(admit("/open.Service/Any", None), Ok(false));
    assert_eq!(admit("/open.Service/Any", Some("no token")), Ok(false));
    assert_eq!(admit("/read.Service/Any", Some(&valid)), Ok(true));
    assert_eq!(admit("/read.Service/Any", None), Err(Code::Unauthenticated));
    assert_eq!(
        admit("/read.Service/Any", Some(&ended)),
        Err(Code::Unauthenticated)
    );
    assert_eq!(
        admit("/read.Service/Any", Some("no token")),
        Err(Code::Unauthenticated)
    );
    assert_eq!(
        admit("/root.Service/Any", Some(&valid)),
        Err(Code::PermissionDenied)
    );
    assert_eq!(
        admit("/other.Service/Any", Some(&valid)),
        Err(Code::PermissionDenied)
    );
}

#[test]
fn keys_of_a_set_are_told_apart() {
    let (first, second) = (
        Issuer::es256().named("first"),
        Issuer::es256().named("second"),
    );
    let rsa = Issuer::rs256().named("rsa");
    let keys = set(&[&first, &second, &rsa]);
    let verifier = strict(Ok(Keys::jwks(keys.to_string())));
    for issuer in [&first, &second, &rsa] {
        assert!(verifier.verify(&issuer.token(&good())).is_ok());
        // A token need not name its key: all of its kind are tried.
        assert!(verifier.verify(&issuer.nameless().token(&good())).is_ok());
    }
    let third = Issuer::es256();
    refused(
        verifier.verify(&third.token(&good())),
        "signature is invalid",
    );
    refused(
        verifier.verify(&third.named("third").token(&good())),
        "key is not known",
    );
    let liar = Issuer::es256().named("first");
    refused(
        verifier.verify(&liar.token(&good())),
        "signature is invalid",
    );
}

#[test]
fn keys_for_other_purposes_are_passed_over() {
    let issuer = Issuer::es256().named("one");
    let mut keys = set(&[
        &issuer,
        &Issuer::rs256().named("two"),
        &Issuer::rs256().named("three"),
    ]);
    keys["keys"][1]["use"] = json!("enc");
    keys["keys"][2]["alg"] = json!("RS512");
    let verifier = strict(Ok(Keys::jwks(keys.to_string())));
    assert!(verifier.verify(&issuer.token(&good())).is_ok());
    refused(
        verifier.verify(&Issuer::rs256().named("two").token(&good())),
        "key is not known",
    );
    keys["keys"][0]["use"] = json!("enc");
    let error = Verifier::new(Keys::jwks(keys.to_string())).expect_err("no key is left");
    assert!(
        error
            .to_string()
            .contains("no key for HS256, RS256 or ES256"),
        "{error}"
    );
}

#[test]
fn broken_keys_are_named() {
    let short = Keys::hs256(&SECRET[..31]).expect_err("a byte is missing");
    assert!(short.to_string().contains("31 bytes"), "{short}");
    assert!(Keys::rs256_pem(b"no key").is_err() && Keys::es256_pem(b"no key").is_err());
    for text in [
        "",
        "{}",
        "[]",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#,
    ] {
        let error = Verifier::new(Keys::jwks(text)).expect_err(text).to_string();
        assert!(error.contains("the JWK Set"), "{error}");
    }
    let error = Verifier::new(Keys::jwks_file("/nowhere/keys.json")).expect_err("no file");
    assert!(
        error
            .to_string()
            .starts_with("failed to read /nowhere/keys.json: No such"),
        "{error}"
    );
}

#[test]
fn a_file_of_keys_is_read_again() {
    let name = format!("corespun-{}-keys.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let write = |text: &str| std::fs::write(&path, text).expect("write");
    let (old, new) = (Issuer::es256().named("old"), Issuer::es256().named("new"));
    let (by_old, by_new) = (old.token(&good()), new.token(&good()));
    write(&set(&[&old]).to_string());
    let verifier = Rc::new(strict(Ok(Keys::jwks_file(&path))));
    assert!(!verifier.reload().expect("the same"));
    assert!(verifier.verify(&by_old).is_ok());
    refused(verifier.verify(&by_new), "key is not known");
    write("broken");
    assert!(verifier.reload().is_err());
    assert!(verifier.verify(&by_old).is_ok(), "the old keys stay");
    write(&set(&[&old, &new]).to_string());
    assert!(verifier.reload().expect("good keys"));
    assert!(verifier.verify(&by_old).is_ok() && verifier.verify(&by_new).is_ok());
    block_on(async {
        drop(spawn(verifier.clone().watch(Duration::from_millis(20))));
        write(&set(&[&new]).to_string());
        let limit = now() + Duration::from_secs(20);
        while verifier.verify(&by_old).is_ok() {
            assert!(now() < limit, "the change goes unnoticed");
            sleep(Duration::from_millis(5)).await;
        }
        assert!(verifier.verify(&by_new).is_ok());
    })
    .expect("a shard");
    std::fs::remove_file(&path).expect("remove");
}
