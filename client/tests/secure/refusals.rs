//! Refused TLS connections, and the errors that their clients get.

use corespun_client::{Channel, ClientTlsConfig, Config, Roots};
use corespun_codec::{Code, Status};

use crate::authority::Authority;
use crate::engines::on_each_engine;
use crate::world::{World, ask, channel, mirror};

fn check(outcome: Result<String, Status>, reason: &str) {
    let status = outcome.expect_err(reason);
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(
        status.message().contains(reason),
        "{:?} says no {reason:?}",
        status.message()
    );
}

#[test]
fn a_failed_handshake_is_a_status_that_says_why() {
    on_each_engine(async |engine| {
        let world = World::new("refusals");
        let server = mirror(engine)
            .tls(world.mutual())
            .listen("127.0.0.1:0")
            .listen_plaintext("127.0.0.1:0")
            .start()
            .expect("a server");
        let [tls, plain] = [0, 1].map(|at| server.addresses()[at].to_string());
        let stranger = Authority::new("a stranger");
        let unknown = stranger.issue(&["client.test"]);
        let unknown = world.client().identity(unknown.chain, unknown.key);
        let believes_other = ClientTlsConfig::new(stranger.roots());
        let misnamed = world.client().server_name("other.test");
        let naked = Channel::lazy(&tls).expect("a target");
        for (channel, reason) in [
            (channel(&tls, believes_other), "UnknownIssuer"),
            (channel(&tls, misnamed), "not valid for name \"other.test\""),
            (channel(&tls, world.client()), "CertificateRequired"),
            (channel(&tls, unknown), "UnknownCA"),
            (channel(&plain, world.client()), "does not speak TLS"),
            (naked, "was lost"),
        ] {
            check(ask(&channel).await, reason);
        }
        // The server still works.
        assert!(ask(&channel(&tls, world.known_client())).await.is_ok());
        server.stop().expect("a clean end");
    });
}

#[test]
fn settings_that_contradict_their_target() {
    let tls = ClientTlsConfig::new(Roots::mozilla()).load();
    let config = Config {
        tls: Some(tls.expect("a connector")),
        ..Config::default()
    };
    let error = Channel::lazy_with("http://127.0.0.1:1", config.clone());
    let error = error.expect_err("a contradiction");
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.message().contains("http:// is without TLS"),
        "{error}"
    );
    assert!(Channel::lazy_with("https://127.0.0.1:1", config).is_ok());
    assert!(Channel::lazy("https://users.example:443").is_ok());
    let error = Channel::lazy("https://no name:1").expect_err("no certificate is for that");
    assert!(error.message().contains("\"no name\""), "{error}");
}

#[test]
fn nothing_is_served_without_a_good_key() {
    on_each_engine(async |engine| {
        let world = World::new("no-key");
        let other = world.authority.issue(&["corespun.test"]);
        for (name, text, reason) in [
            ("server.key", Some(&*other.key), "is not the private key of"),
            ("server.key", Some("no key"), "holds no private key"),
            ("server.key", None, "No such file"),
        ] {
            match text {
                Some(text) => drop(world.folder.write(name, text)),
                None => std::fs::remove_file(world.folder.0.join(name)).expect("remove"),
            }
            let server = mirror(engine).listen("127.0.0.1:0").tls(world.tls());
            let Err(error) = server.start() else {
                panic!("it serves although {reason}");
            };
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(reason), "{text}");
        }
    });
}
