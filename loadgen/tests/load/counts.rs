//! Tests of outcomes of calls, and of errors that end a run.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use corespun_http2::{Config, Limits};
use corespun_runtime::{Address, Engine};

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load};

const SHORT: &str = "--duration 300ms --warmup 100ms --connections 2 --streams 4";

#[test]
fn good_answers_are_ok() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let flags = format!("{SHORT} --metadata x-a=b c-bin=aGk --timeout 5s");
        let report = load(engine, server.address(), &flags).unwrap();
        assert!(report.counts.ok > 100, "{report:?}");
        assert!(report.counts.ok <= server.calls());
        assert_eq!(
            (report.failed(), report.counts.censored),
            (0, 0),
            "{report:?}"
        );
        assert!((report.counts.rps - report.counts.ok as f64 / 0.3).abs() < 1.0);
        assert!(report.latency_us.p50.unwrap() > 1.0);
        assert_eq!(report.latency_us.p50, report.service_us.p50);
        assert!(report.warnings[0].starts_with("closed loop"), "{report:?}");
        assert_eq!(server.seen.connections.load(Ordering::Relaxed), 2);
        let fields = server.seen.fields.lock().unwrap();
        let wanted = [
            (":path", "/user.UserService/GetUser"),
            (":authority", &server.address().to_string()),
            ("te", "trailers"),
            ("x-a", "b"),
            ("c-bin", "aGk"),
        ];
        for (name, value) in wanted {
            assert!(
                fields
                    .iter()
                    .any(|field| field.0 == name && field.1 == value),
                "{fields:?}"
            );
        }
        assert!(
            fields.iter().any(|field| field.0 == "grpc-timeout"),
            "{fields:?}"
        );
    }
}

#[test]
fn bad_answers_have_names() {
    let _alone = alone();
    let two_messages = b"\0\0\0\0\x02\x08\x07\0\0\0\0\x02\x08\x07";
    let cases = [
        (Answer::NoStatus, "MISSING_STATUS"),
        (Answer::TrailersOnly("5"), "NOT_FOUND"),
        (Answer::TrailersOnly("0"), "MALFORMED"),
        (Answer::Body(two_messages), "MALFORMED"),
        (Answer::Body(b"\0\0\0"), "MALFORMED"),
        (Answer::Page("503"), "UNAVAILABLE"),
        (Answer::Page("200"), "UNKNOWN"),
        (Answer::Reset, "UNAVAILABLE"),
    ];
    for engine in engines() {
        for (answer, name) in cases {
            let server = TestServer::start(engine, answer);
            let flags = "--duration 60ms --warmup 20ms --connections 2 --streams 2";
            let report = load(engine, server.address(), flags).unwrap();
            assert_eq!(report.counts.ok, 0, "{answer:?}: {report:?}");
            let names: Vec<_> = report.counts.failed.keys().map(String::as_str).collect();
            assert_eq!(names, [name], "{answer:?}: {report:?}");
            assert!(report.failed() > 10, "{answer:?}: {report:?}");
            let told = report
                .warnings
                .iter()
                .any(|text| text.starts_with("target errors"));
            assert!(told, "{answer:?}: {report:?}");
        }
    }
}

#[test]
fn a_response_that_does_not_fit_the_schema_stops_the_run() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Body(b"\0\0\0\0\x02\x12\x7f"));
        let error = load(engine, server.address(), SHORT)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("failed to read a response"), "{error}");
        assert!(error.contains("user.UserResponse"), "{error}");
    }
}

#[test]
fn a_lost_connection_is_counted_and_made_anew() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::LoseOnce(200));
        let flags = "--duration 600ms --warmup 100ms --streams 4 --rate 1000";
        let report = load(engine, server.address(), flags).unwrap();
        let (lost, anew) = (report.counts.lost, report.counts.reconnects);
        assert_eq!((lost, anew), (1, 1), "{report:?}");
        assert!(report.counts.failed["UNAVAILABLE"] >= 1, "{report:?}");
        assert_eq!(
            report.counts.ok + report.failed() + report.counts.censored,
            600,
            "{report:?}"
        );
        assert!(report.counts.ok > 500, "{report:?}");
        assert_eq!(report.unconnected(), None, "there is no pause: {report:?}");
    }
}

#[test]
fn a_server_that_goes_for_good_is_told() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let address = server.address().clone();
        let leaving = thread::spawn(move || {
            thread::sleep(Duration::from_millis(400));
            drop(server);
        });
        let flags = "--duration 700ms --warmup 100ms --streams 4";
        let report = load(engine, &address, flags).unwrap();
        leaving.join().unwrap();
        let (lost, anew) = (report.counts.lost, report.counts.reconnects);
        assert_eq!((lost, anew), (1, 0), "{report:?}");
        let told =
            |text: &String| text.starts_with("connection lost: 1 were lost, 0 were reopened");
        assert!(report.warnings.iter().any(told), "{report:?}");
    }
}

#[test]
fn the_servers_limit_on_streams_is_kept() {
    let _alone = alone();
    for engine in engines() {
        let limits = Limits {
            concurrent_streams_max: 2,
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::server()
        };
        let server = TestServer::with(engine, Answer::Good, config);
        let flags = "--duration 100ms --warmup 50ms --streams 16";
        let report = load(engine, server.address(), flags).unwrap();
        assert!(report.counts.ok > 100, "{report:?}");
        assert_eq!(report.failed(), 0, "{report:?}");
        assert!(server.seen.streams_max.load(Ordering::Relaxed) <= 2);
        assert_eq!(report.setup.streams_allowed, Some(2));
        let told = |text: &String| text.starts_with("fewer streams: the target allows 2 ");
        assert!(report.warnings.iter().any(told), "{report:?}");
    }
}

#[test]
fn a_request_larger_than_frames_and_windows_gets_through() {
    let _alone = alone();
    let limits = Limits {
        stream_window_bytes: 65_535,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::server()
    };
    for engine in engines() {
        let server = TestServer::with(engine, Answer::Good, config.clone());
        let data = format!(r#"{{"name":"{}"}}"#, "x".repeat(300_000));
        let flags = "--duration 100ms --warmup 50ms --streams 2 --method user.UserService/Echo";
        let report = load(engine, server.address(), &format!("{flags} --data {data}")).unwrap();
        assert!(report.counts.ok > 1, "{report:?}");
        assert_eq!(report.failed(), 0, "{report:?}");
        assert!(server.seen.body_bytes.load(Ordering::Relaxed) > 600_000);
    }
}

#[test]
fn targets_that_are_not_there_or_not_http2_are_named() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    let engine = Engine::Epoll;
    let http1 = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let error = load(engine, &address, SHORT).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("failed to speak HTTP/2 with {address}: ")),
        "{error}"
    );
    http1.join().unwrap();
    for engine in engines() {
        let error = load(engine, &address, SHORT).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("failed to connect to {address}: ")),
            "{error}"
        );
        assert!(error.contains("refused"), "{error}");
    }
    let error = load(engine, &address, &format!("{SHORT} --target-pid 4194303")).unwrap_err();
    assert!(
        error.to_string().contains("CPU clock of process 4194303"),
        "{error}"
    );
}
