//! Tests of timetables, and of the latency of late and censored calls.

use std::thread;
use std::time::{Duration, Instant};

use corespun_load::Interrupt;
use corespun_runtime::Engine;

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load, load_interrupted};

#[test]
fn an_open_loop_keeps_its_rate() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        for (flags, rate) in [
            ("--rate 2000 --connections 4 --streams 8", 2000.0),
            ("--rate 333.3 --connections 3 --cores 2", 333.3),
        ] {
            let flags = format!("{flags} --duration 1s --warmup 200ms");
            let report = load(engine, server.address(), &flags).unwrap();
            let offered = report.counts.offered_rps.unwrap();
            assert!((offered - rate).abs() <= 1.0, "{report:?}");
            assert!(
                (report.counts.rps - rate).abs() <= rate * 0.02,
                "{report:?}"
            );
            assert_eq!(report.failed(), 0, "{report:?}");
            assert!(report.lag_us.unwrap().p50.unwrap() >= 0.0);
            assert!(
                !report
                    .warnings
                    .iter()
                    .any(|text| text.starts_with("closed")),
                "{report:?}"
            );
        }
    }
}

#[test]
fn a_stall_shows_in_the_tail() {
    let _alone = alone();
    for engine in engines() {
        let pause = Duration::from_millis(300);
        let server = TestServer::start(engine, Answer::Stall(1000, pause));
        let flags = "--rate 1000 --connections 2 --streams 4 --duration 2s --warmup 200ms";
        let report = load(engine, server.address(), flags).unwrap();
        // 300 of 2000 calls were meant to start during the stall.
        assert!(report.latency_us.p99.unwrap() > 250_000.0, "{report:?}");
        assert!(report.latency_us.max.unwrap() < 900_000.0, "{report:?}");
        // Eight streams cannot hold 300 calls: most of them waited to be sent.
        let (lag, late) = (report.lag_us.unwrap(), report.late_us.unwrap());
        assert!(lag.p90.unwrap() > 20_000.0, "{report:?}");
        // Which was the server's doing, and is not put down to the generator.
        assert!(late.p90.unwrap() < lag.p90.unwrap() / 4.0, "{report:?}");
        let says = |text: &String| text.starts_with("streams busy");
        assert!(report.warnings.iter().any(says), "{report:?}");
        assert!(report.counts.ok >= 1990, "{report:?}");
    }
}

#[test]
fn what_never_ends_is_censored() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Never);
        let flags = "--rate 500 --connections 2 --streams 3 --duration 400ms --warmup 100ms";
        let report = load(engine, server.address(), flags).unwrap();
        assert_eq!((report.counts.ok, report.failed()), (0, 0), "{report:?}");
        assert_eq!(report.counts.censored, 200, "{report:?}");
        assert_eq!(server.calls(), 6);
        assert!(report.latency_us.p50.unwrap() > 150_000.0, "{report:?}");
        assert_eq!(report.service_us.max, None);

        let report = load(
            engine,
            server.address(),
            "--streams 3 --duration 100ms --warmup 0s",
        );
        let report = report.unwrap();
        assert_eq!(report.counts.censored, 3, "{report:?}");
        assert!(report.latency_us.max.unwrap() > 1_000_000.0, "{report:?}");
    }
}

#[test]
fn a_timeout_ends_calls_that_are_not_answered() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Never);
        let flags = "--streams 5 --timeout 50ms --duration 500ms --warmup 0s";
        let report = load(engine, server.address(), flags).unwrap();
        let late = report.counts.failed["DEADLINE_EXCEEDED"];
        assert!((40..=50).contains(&late), "{report:?}");
        assert_eq!(
            (report.counts.ok, report.counts.censored),
            (0, 0),
            "{report:?}"
        );
        assert!(report.latency_us.p50.unwrap() >= 50_000.0, "{report:?}");
    }
}

#[test]
fn an_interrupt_ends_the_run_and_keeps_what_was_measured() {
    let _alone = alone();
    let engine = Engine::Epoll;
    let server = TestServer::start(engine, Answer::Good);
    let interrupt = Interrupt::manual();
    let hand = interrupt.clone();
    let started = Instant::now();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(800));
        hand.set(2);
    });
    let flags = "--rate 100 --streams 4 --duration 60s --warmup 100ms";
    let report = load_interrupted(engine, server.address(), flags, &interrupt).unwrap();
    thread.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(
        report.interrupted && report.setup.duration_s < 2.0,
        "{report:?}"
    );
    assert!((30..=100).contains(&report.counts.ok), "{report:?}");
    assert!(report.warnings[0].starts_with("interrupted"), "{report:?}");
    let early = load_interrupted(engine, server.address(), flags, &interrupt).unwrap_err();
    assert!(early.to_string().contains("interrupted"), "{early}");
}
