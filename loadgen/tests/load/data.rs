//! Tests of request contents: templates, files, mixes of methods, metadata, compression.

use std::io::Write;

use corespun_load::Report;
use corespun_runtime::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load, scratch};

const SHORT: &str = "--duration 200ms --warmup 0s --connections 2 --cores 2 --streams 2";

/// Returns a request for user `id`, which is 1 to 127, with its prefix.
fn user(id: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 2, 8, id]
}

#[test]
fn templates_are_filled_in() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let flags = format!("{SHORT} --data {{\"id\":{{{{seq}}}}}} --data-mode");
        load(engine, server.address(), &format!("{flags} pool:5")).unwrap();
        {
            let mut bodies = server.seen.bodies.lock().unwrap();
            assert_eq!(bodies.len(), 5);
            let (least, most) = (bodies.values().min(), bodies.values().max());
            assert!(*least.unwrap() * 2 > *most.unwrap(), "{bodies:?}");
            bodies.clear();
        }
        let report = load(engine, server.address(), &format!("{flags} each")).unwrap();
        let bodies = server.seen.bodies.lock().unwrap();
        assert!(
            report.counts.ok > 100 && bodies.contains_key(&user(9)),
            "{report:?}"
        );
        assert!(
            bodies.values().all(|count| *count == 1),
            "each number goes once"
        );
    }
}

#[test]
fn data_comes_from_a_file() {
    let _alone = alone();
    let file = scratch("data.json");
    std::fs::write(&file, "[{\"id\": 1},\n {\"id\": 2}]").unwrap();
    let server = TestServer::start(Engine::Epoll, Answer::Good);
    let flags = format!("{SHORT} --data @{}", file.display());
    let report = load(Engine::Epoll, server.address(), &flags);
    std::fs::remove_file(&file).unwrap();
    assert!(report.unwrap().counts.ok > 100);
    let bodies = server.seen.bodies.lock().unwrap();
    assert_eq!(
        bodies.keys().cloned().collect::<Vec<_>>(),
        [user(1), user(2)]
    );
}

#[test]
fn a_scenario_mixes_methods_by_weight() {
    let _alone = alone();
    let file = scratch("mix.toml");
    let text = r#"
        [[call]]
        method = "user.UserService/GetUser"
        weight = 3
        data = { id = 3 }
        [[call]]
        method = "user.UserService/ImportUsers"
        data = '[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]'
    "#;
    std::fs::write(&file, text).unwrap();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let flags = "--rate 2000 --duration 1s --warmup 0s --streams 64 --scenario";
        let report = load(
            engine,
            server.address(),
            &format!("{flags} {}", file.display()),
        );
        let report = report.unwrap();
        assert_eq!((report.counts.ok, report.failed()), (2000, 0), "{report:?}");
        let paths = server.seen.paths.lock().unwrap();
        let (get, import) = (
            paths["/user.UserService/GetUser"],
            paths["/user.UserService/ImportUsers"],
        );
        assert_eq!(get + import, 2000);
        let rows = report.methods.iter();
        let rows: Vec<_> = rows.map(|row| (row.name.as_str(), row.ok)).collect();
        let expected = [
            ("user.UserService/GetUser", get),
            ("user.UserService/ImportUsers", import),
        ];
        assert_eq!(rows, expected);
        let merged = Report::merge(&[report.clone(), report.clone()]).unwrap();
        assert_eq!(merged.methods[1].ok, 2 * import);
        let messages = |report: &Report| report.messages.as_ref().unwrap().received;
        assert_eq!(messages(&merged), 2 * messages(&report));
        // A quarter of 2000 throws, give or take four standard deviations.
        assert!((423..=577).contains(&import), "{paths:?}");
        assert_eq!(
            server
                .seen
                .messages
                .load(std::sync::atomic::Ordering::Relaxed),
            get + 3 * import
        );
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn requests_and_replies_may_be_compressed() {
    let _alone = alone();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"\x08\x07\x12\x03Ada").unwrap();
    let packed = packed.finish().unwrap();
    let mut good = vec![1, 0, 0, 0, packed.len() as u8];
    good.extend_from_slice(&packed);
    let mut bad = good.clone();
    bad[20] ^= 0x55;
    let (good, bad): (&[u8], &[u8]) = (good.leak(), bad.leak());
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Packed(good));
        let flags = format!("{SHORT} --strict --compress gzip");
        let report = load(engine, server.address(), &flags).unwrap();
        assert!(report.counts.ok > 50 && report.failed() == 0, "{report:?}");
        let fields = server.seen.fields.lock().unwrap();
        let encoding = ("grpc-encoding".to_owned(), "gzip".to_owned());
        assert!(fields.contains(&encoding), "{fields:?}");
        assert!(
            server
                .seen
                .bodies
                .lock()
                .unwrap()
                .keys()
                .all(|body| body[0] == 1)
        );
        let server = TestServer::start(engine, Answer::Packed(bad));
        let report = load(engine, server.address(), &flags).unwrap();
        assert_eq!(report.counts.ok, 0, "{report:?}");
        assert!(report.counts.failed["MALFORMED"] > 10, "{report:?}");
    }
}

#[test]
fn under_strict_a_reply_that_does_not_fit_is_a_failed_call() {
    let _alone = alone();
    let server = TestServer::start(Engine::Epoll, Answer::Body(b"\0\0\0\0\x02\x12\x7f"));
    let report = load(
        Engine::Epoll,
        server.address(),
        &format!("{SHORT} --strict"),
    )
    .unwrap();
    assert_eq!(report.counts.ok, 0, "{report:?}");
    assert!(report.counts.failed["MALFORMED"] > 10, "{report:?}");
}

#[test]
fn unix_sockets_are_called() {
    let _alone = alone();
    for engine in engines() {
        let path = scratch("load.sock");
        let server = TestServer::at(engine, Answer::Good, &format!("unix:{}", path.display()));
        let report = load(engine, server.address(), SHORT).unwrap();
        assert!(report.counts.ok > 100 && report.failed() == 0, "{report:?}");
        let fields = server.seen.fields.lock().unwrap();
        assert!(fields.contains(&(":authority".to_owned(), "localhost".to_owned())));
    }
}
