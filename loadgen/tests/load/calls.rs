//! Tests of streaming calls, and of the messages within them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use corespun_load::Report;
use corespun_runtime::Engine;

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load};

/// Tolerance of timed spans on a busy machine, as a factor and in µs.
const LATE: f64 = 2.0;
const LATE_US: f64 = 15_000.0;

fn stream(engine: Engine, server: &TestServer, method: &str, flags: &str) -> Report {
    let flags = format!(
        "--method user.UserService/{method} --connections 2 --streams 2 \
         --duration 600ms --warmup 0s --strict {flags}"
    );
    let report = load(engine, server.address(), &flags).unwrap();
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.counts.ok > 3, "{report:?}");
    report
}

/// Returns the number of responses of complete calls, without calls that ended after the window.
fn whole(report: &Report, each: u64) -> u64 {
    let in_flight = (report.setup.connections * report.setup.streams) as u64;
    each * report.counts.ok.saturating_sub(in_flight)
}

fn near(value: Option<f64>, wanted_us: f64) -> bool {
    value.is_some_and(|value| value >= wanted_us * 0.99 && value <= wanted_us * LATE + LATE_US)
}

#[test]
fn messages_of_a_server_stream_are_timed_one_by_one() {
    let _alone = alone();
    for engine in engines() {
        let gap = Duration::from_millis(10);
        let server = TestServer::start(engine, Answer::Stream(5, gap));
        let report = stream(engine, &server, "ListUsers", "");
        let messages = report.messages.as_ref().unwrap();
        assert!(messages.received >= whole(&report, 5), "{report:?}");
        assert!(messages.sent >= report.counts.ok, "{report:?}");
        assert!(near(messages.first_us.p50, 10_000.0), "{report:?}");
        assert!(near(messages.each_us.p50, 10_000.0), "{report:?}");
        // The first comes after one gap, the trailers after the fifth's gap.
        assert!(near(report.service_us.p50, 60_000.0), "{report:?}");
    }
}

#[test]
fn a_ready_stream_of_many_messages_is_counted() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Stream(1000, Duration::ZERO));
        let report = stream(engine, &server, "ListUsers", "");
        let messages = report.messages.as_ref().unwrap();
        assert!(messages.received >= whole(&report, 1000), "{report:?}");
        assert!(messages.received_per_s > 1000.0, "{report:?}");
    }
}

#[test]
fn a_client_stream_sends_what_it_should() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        stream(engine, &server, "ImportUsers", "--messages 500");
        let seen = server.seen.messages.load(Ordering::Relaxed);
        let calls = server.calls();
        assert!(
            calls > 3 && seen >= 500 * calls,
            "{calls} calls, {seen} messages"
        );
        assert!(seen <= 500 * (calls + 4), "{calls} calls, {seen} messages");
    }
}

#[test]
fn ping_pong_times_each_answer_from_its_request() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Echo(Duration::from_millis(10)));
        let report = stream(engine, &server, "Lookup", "--messages 4");
        let messages = report.messages.as_ref().unwrap();
        assert!(near(messages.each_us.p50, 10_000.0), "{report:?}");
        assert!(near(report.service_us.p50, 40_000.0), "{report:?}");
        assert!(messages.received >= whole(&report, 4), "{report:?}");
    }
}

#[test]
fn free_turns_do_not_wait() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Echo(Duration::from_millis(20)));
        let report = stream(engine, &server, "Lookup", "--messages 50 --turns free");
        let messages = report.messages.as_ref().unwrap();
        // Fifty in turn would take a second.
        assert!(near(report.service_us.p50, 20_000.0), "{report:?}");
        assert!(near(messages.each_us.p50, 20_000.0), "{report:?}");
        assert!(messages.received >= whole(&report, 50), "{report:?}");
    }
}

#[test]
fn large_messages_wait_for_flow_control() {
    let _alone = alone();
    let limits = corespun_http2::Limits {
        stream_window_bytes: 65_535,
        ..corespun_http2::Limits::default()
    };
    for engine in engines() {
        let config = corespun_http2::Config {
            limits: limits.clone(),
            ..corespun_http2::Config::server()
        };
        let server = TestServer::with(engine, Answer::Good, config);
        let data = format!(r#"{{"name":"{}"}}"#, "x".repeat(100_000));
        let flags = format!(
            "--method user.UserService/ImportUsers --data {data} --messages 20 --streams 2 \
             --duration 300ms --warmup 0s"
        );
        let report = load(engine, server.address(), &flags).unwrap();
        assert!(report.counts.ok > 1 && report.failed() == 0, "{report:?}");
        assert!(server.seen.messages.load(Ordering::Relaxed) >= 20 * report.counts.ok);
    }
}

#[test]
fn a_deadline_ends_a_stream_midway() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Stream(1000, Duration::from_millis(10)));
        let flags = "--method user.UserService/ListUsers --deadline 50ms --streams 2 \
                     --duration 500ms --warmup 0s";
        let report = load(engine, server.address(), flags).unwrap();
        assert_eq!(report.counts.ok, 0, "{report:?}");
        assert!(report.counts.failed["DEADLINE_EXCEEDED"] > 5, "{report:?}");
        assert!(near(report.service_us.p50, 50_000.0), "{report:?}");
        assert!(
            report.messages.as_ref().unwrap().received > 10,
            "{report:?}"
        );
    }
}
