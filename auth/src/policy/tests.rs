//! Callers that pass each rule, and the statuses of those that do not.

use super::*;
use corespun_codec::{Code, TlsPeer, UnixPeer};

fn token(subject: &str, scopes: &[&str]) -> Claims {
    Claims {
        subject: Some(subject.to_owned()),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Claims::default()
    }
}

fn certificate(name: &str) -> PeerIdentity {
    let tls = TlsPeer {
        certificates: vec![vec![0x30]],
        names: vec![name.to_owned()],
        ..TlsPeer::default()
    };
    PeerIdentity {
        tls: Some(tls),
        unix: None,
    }
}

fn policy() -> Policy {
    let either = Rule::Any(vec![
        Rule::certificate("spiffe://test/admin"),
        Rule::UnixUser(7),
        Rule::Subject("root".to_owned()),
    ]);
    let both = vec![Rule::certificate("client.test"), Rule::scope("write")];
    Policy::new()
        .service("open.Service", Rule::Anybody)
        .service("user.UserService", Rule::scope("read"))
        .method("/user.UserService/ImportUsers", Rule::All(both))
        .service("admin.Admin", either)
        .service("known.Service", Rule::Known)
        .service("shut.Service", Rule::Any(Vec::new()))
}

#[test]
fn who_may_call_what() {
    let (reader, root) = (token("ada", &["read"]), token("root", &[]));
    let writer = token("ada", &["write"]);
    let (client, admin) = (
        certificate("client.test"),
        certificate("spiffe://test/admin"),
    );
    let unix = PeerIdentity {
        tls: None,
        unix: Some(UnixPeer {
            pid: 1,
            uid: 7,
            gid: 7,
        }),
    };
    let shown = PeerIdentity {
        tls: Some(TlsPeer::default()),
        unix: None,
    };
    let by = |claims, identity| Caller { claims, identity };
    let denied = Some(Code::PermissionDenied);
    let unknown = Some(Code::Unauthenticated);
    let cases = [
        ("/open.Service/Any", by(None, None), None),
        ("/user.UserService/GetUser", by(Some(&reader), None), None),
        ("/user.UserService/GetUser", by(Some(&writer), None), denied),
        ("/user.UserService/GetUser", by(None, None), unknown),
        // TLS without a client certificate does not identify the client.
        ("/user.UserService/GetUser", by(None, Some(&shown)), unknown),
        ("/user.UserService/GetUser", by(None, Some(&client)), denied),
        (
            "/user.UserService/ImportUsers",
            by(Some(&writer), Some(&client)),
            None,
        ),
        (
            "/user.UserService/ImportUsers",
            by(Some(&writer), None),
            denied,
        ),
        (
            "/user.UserService/ImportUsers",
            by(Some(&reader), Some(&client)),
            denied,
        ),
        ("/admin.Admin/Any", by(None, Some(&admin)), None),
        ("/admin.Admin/Any", by(None, Some(&unix)), None),
        ("/admin.Admin/Any", by(Some(&root), None), None),
        ("/admin.Admin/Any", by(Some(&reader), Some(&client)), denied),
        ("/known.Service/Any", by(None, Some(&unix)), None),
        ("/known.Service/Any", by(Some(&reader), None), None),
        ("/known.Service/Any", by(None, Some(&shown)), unknown),
        ("/shut.Service/Any", by(Some(&root), Some(&admin)), denied),
        // Neither another spelling nor an unlisted name bypasses the rules.
        ("/other.Service/Any", by(Some(&root), Some(&admin)), denied),
        ("open.Service/Any", by(None, None), denied),
        ("/open.service/Any", by(None, None), denied),
        ("/x/open.Service/Any", by(None, None), denied),
        ("", by(None, None), denied),
    ];
    let policy = policy();
    for (path, caller, expected) in cases {
        let code = policy
            .check(path, &caller)
            .err()
            .map(|status| status.code());
        assert_eq!(code, expected, "{path} by {caller:?}");
    }
}

#[test]
fn what_a_refusal_says() {
    let policy = policy().otherwise(Rule::Known);
    let say = |path| {
        let refused = policy.check(path, &Caller::default());
        refused.expect_err(path).message().to_owned()
    };
    assert_eq!(
        say("/user.UserService/GetUser"),
        "/user.UserService/GetUser needs scope \"read\""
    );
    // The refusal does not reveal which name would pass.
    assert_eq!(
        say("/admin.Admin/Any"),
        "/admin.Admin/Any needs another certificate or another user or another subject"
    );
    assert_eq!(
        say("/other.Service/Any"),
        "/other.Service/Any needs a known caller"
    );
    assert!(policy.is_open("/open.Service/Any") && !policy.is_open("/other.Service/Any"));
}
