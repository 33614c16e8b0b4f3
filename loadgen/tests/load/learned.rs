//! Tests of schemas by reflection and from descriptor sets.

use corespun_runtime::Engine;

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load, reflection, scratch};

const FIND: &str = "--method split.Split/Find --duration 100ms --warmup 50ms --strict \
                    --data {\"user\":{\"id\":7},\"at\":\"{{now}}\"}";

#[test]
fn a_schema_is_learned_by_reflection() {
    let _alone = alone();
    for engine in engines() {
        for version in ["v1", "v1alpha"] {
            let server = TestServer::start(engine, Answer::Reflect(version));
            let report = load(engine, server.address(), &format!("--learn {FIND}")).unwrap();
            assert!(report.counts.ok > 10, "{version}: {report:?}");
            assert_eq!(report.failed(), 0, "{version}: {report:?}");
        }
    }
}

#[test]
fn what_the_server_does_not_tell_is_named() {
    let _alone = alone();
    let engine = Engine::Epoll;
    let server = TestServer::start(engine, Answer::Reflect("v1"));
    let cases = [
        (
            "--method split.Split/Lose",
            "the schema has split.Split/Find",
        ),
        (
            "--method gone.Gone/Find",
            "the schema has user.UserService, split.Split",
        ),
    ];
    for (flags, wanted) in cases {
        let error = load(engine, server.address(), &format!("--learn {flags}")).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let server = TestServer::start(engine, Answer::Reflect("v9"));
    let error = load(engine, server.address(), "--learn")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("offers no reflection; give --proto"),
        "{error}"
    );
    let nobody = "127.0.0.1:1".parse().unwrap();
    let error = load(engine, &nobody, "--learn").unwrap_err().to_string();
    assert!(
        error.starts_with("failed to connect to 127.0.0.1:1"),
        "{error}"
    );
}

#[test]
fn a_descriptor_set_will_do() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let set = scratch("split.binpb");
    std::fs::write(&set, reflection::pool().encode_to_vec()).unwrap();
    let flags = format!("--descriptor-set {} {FIND}", set.display());
    let report = load(Engine::Epoll, server.address(), &flags);
    std::fs::remove_file(&set).unwrap();
    assert!(report.unwrap().counts.ok > 10);
}
