//! Tests of calls over TLS, and of untrusted servers.

use corespun_runtime::{Address, Engine};
use corespun_tls::{Acceptor, TlsConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::authority::{Authority, Issued};
use crate::server::{Answer, TestServer};
use crate::{alone, engines, load, scratch};

const SHORT: &str = "--tls --duration 200ms --warmup 100ms --connections 2 --streams 4 --strict";

fn acceptor(issued: &Issued, clients: Option<&Authority>) -> Acceptor {
    let config = TlsConfig::from_pem_files(&issued.cert, &issued.key);
    let config = match clients {
        None => config,
        Some(authority) => config.client_ca(authority.file()),
    };
    config.load().unwrap()
}

#[test]
fn calls_go_over_tls_with_both_sides_known() {
    let _alone = alone();
    let authority = Authority::new("both");
    let (server, client) = (
        authority.issue("users.example"),
        authority.issue("load.example"),
    );
    let ca = authority.file();
    for engine in engines() {
        let tls = acceptor(&server, Some(&authority));
        let server = TestServer::secure(engine, Answer::Reflect("v1"), tls);
        let identity = format!(
            "--cacert {} --cert {} --key {}",
            ca.display(),
            client.cert.display(),
            client.key.display()
        );
        for more in [
            "",
            "--servername users.example",
            "--authority users.example:1",
        ] {
            let flags = format!("{SHORT} {identity} {more}");
            let report = load(engine, server.address(), &flags).unwrap();
            assert!(report.counts.ok > 50, "{more}: {report:?}");
            assert_eq!(report.failed(), 0, "{more}: {report:?}");
        }
        let learned = format!("{SHORT} {identity} --learn --method split.Split/Find --data {{}}");
        assert!(load(engine, server.address(), &learned).unwrap().counts.ok > 50);
        let scheme = (":scheme".to_owned(), "https".to_owned());
        assert!(server.seen.fields.lock().unwrap().contains(&scheme));
        let error = load(
            engine,
            server.address(),
            &format!("{SHORT} --cacert {}", ca.display()),
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("TLS: ") && error.contains("CertificateRequired"),
            "{error}"
        );
    }
}

#[test]
fn a_certificate_that_is_named_itself_is_trusted() {
    let _alone = alone();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // As `openssl req -x509` makes it.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let issued = Issued {
        cert: scratch("own.pem"),
        key: scratch("own.key"),
    };
    std::fs::write(&issued.cert, certificate.pem()).unwrap();
    std::fs::write(&issued.key, key.serialize_pem()).unwrap();
    for engine in engines() {
        let server = TestServer::secure(engine, Answer::Good, acceptor(&issued, None));
        let flags = format!("{SHORT} --cacert {}", issued.cert.display());
        let named = format!("{flags} --authority localhost");
        let report = load(engine, server.address(), &named).unwrap();
        assert!(report.counts.ok > 50 && report.failed() == 0, "{report:?}");
        let error = load(engine, server.address(), &flags)
            .unwrap_err()
            .to_string();
        assert!(error.contains("127.0.0.1"), "{error}");
    }
}

fn refusal(address: &Address, flags: &str) -> String {
    let error = load(Engine::Epoll, address, &format!("{SHORT} {flags}"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("failed to ") && !error.contains('\n'),
        "{error}"
    );
    error
}

#[test]
fn who_is_not_believed_is_told() {
    let _alone = alone();
    let (good, bad) = (Authority::new("good"), Authority::new("bad"));
    let issued = good.issue("users.example");
    let server = TestServer::secure(Engine::Epoll, Answer::Good, acceptor(&issued, None));
    let address = server.address();
    let (ca, other) = (good.file(), bad.file());
    let cases = [
        (
            format!("--cacert {}", other.display()),
            "invalid peer certificate",
        ),
        (
            format!("--cacert {} --servername else.example", ca.display()),
            "else.example",
        ),
        (
            format!("--cacert {}", issued.key.display()),
            "users.example.key",
        ),
        (format!("--cacert {} --servername b@d", ca.display()), "b@d"),
    ];
    for (flags, wanted) in cases {
        let error = refusal(address, &flags);
        assert!(error.contains(wanted), "{flags}: {error}");
    }
    let flags = format!("{SHORT} --insecure-skip-verify");
    assert!(load(Engine::Epoll, address, &flags).unwrap().counts.ok > 50);
    let plain = TestServer::start(Engine::Epoll, Answer::Good);
    let error = refusal(plain.address(), "--insecure-skip-verify");
    assert!(error.contains("TLS: "), "{error}");
    let error = load(Engine::Epoll, address, "--duration 100ms")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("failed to speak HTTP/2"), "{error}");
}
