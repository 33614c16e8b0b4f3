//! Tests of target forms, request heads, and connections that end.

use std::time::Duration;

use corespun_load::{Command, CommandLine, Interrupt, LoadError, Plan, Report, run};
use corespun_runtime::{Address, Engine};

use clap::Parser;

use crate::server::{Answer, TestServer};
use crate::{alone, command_line, engines, load};

/// Makes a run at a target in a form that is not an [`Address`].
fn load_at(engine: Engine, target: &str, flags: &str) -> Result<Report, LoadError> {
    let nowhere: Address = "127.0.0.1:1".parse().unwrap();
    let words = command_line(&nowhere, &format!("{flags} --engine {engine}"));
    let words = words.iter().map(|word| match word.as_str() {
        "127.0.0.1:1" => target.to_owned(),
        word => word.to_owned(),
    });
    let Command::Run(args) = CommandLine::try_parse_from(words).unwrap().command else {
        unreachable!("the line says run");
    };
    run(Plan::new(&args)?, &mut Vec::new(), &Interrupt::manual())
}

const SHORT: &str = "--duration 100ms --warmup 0";

#[test]
fn all_addresses_are_tried_in_every_form() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let Address::Tcp(address) = server.address() else {
            unreachable!("it listens on TCP");
        };
        let port = address.port();
        for target in [
            format!("dns:///127.0.0.1:{port}"),
            format!("dns:localhost:{port}"),
            format!("ipv4:127.0.0.1:1,127.0.0.1:{port}"),
            format!("http://127.0.0.1:{port}/"),
            format!("passthrough:///127.0.0.1:{port}"),
        ] {
            let report = load_at(engine, &target, SHORT).unwrap();
            assert!(
                report.counts.ok > 10 && report.failed() == 0,
                "{target}: {report:?}"
            );
        }
        let error = load_at(engine, "ipv4:127.0.0.1:1,127.0.0.2:1", SHORT).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("127.0.0.1:1: ") && error.contains("127.0.0.2:1: "),
            "{error}"
        );
    }
}

#[test]
fn a_name_leads_to_a_server_on_ipv6_alone() {
    let _alone = alone();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: there is no IPv6 here");
        return;
    }
    let both = Address::resolve("localhost:1").unwrap();
    for engine in engines() {
        let server = TestServer::at(engine, Answer::Good, "[::1]:0");
        let Address::Tcp(address) = server.address() else {
            unreachable!("it listens on TCP");
        };
        let target = format!("localhost:{}", address.port());
        match load_at(engine, &target, SHORT) {
            Ok(report) => assert!(report.counts.ok > 10, "{report:?}"),
            Err(error) => assert!(both.len() < 2, "{error}"),
        }
    }
}

#[test]
fn reflection_goes_as_calls_do() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Reflect("v1"));
        let flags = format!(
            "{SHORT} --learn --method split.Split/Find --data {{}} --token sesame -H x-a:b \
             -H x-id:{{{{seq}}}} --compress gzip --strict"
        );
        let report = load(engine, server.address(), &flags).unwrap();
        assert!(report.counts.ok > 10 && report.failed() == 0, "{report:?}");
        let fields = server.seen.fields.lock().unwrap().clone();
        assert!(fields[2].1.contains("reflection"), "{fields:?}");
        for (name, value) in [
            ("authorization", "Bearer sesame"),
            ("x-a", "b"),
            ("x-id", "0"),
            ("grpc-encoding", "gzip"),
        ] {
            let field = (name.to_owned(), value.to_owned());
            assert!(fields.contains(&field), "{name}: {fields:?}");
        }
    }
}

#[test]
fn places_vary_from_call_to_call() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let data = r#"--method user.UserService/GetUser --data {"id":{{seq}}}"#;
        let flags = format!("-n 1500 --streams 8 {data} -H x-id:n{{{{seq}}}}-{{{{uuid}}}}");
        let report = load(engine, server.address(), &flags).unwrap();
        assert_eq!((report.counts.ok, report.failed()), (1500, 0));
        let bodies = server.seen.bodies.lock().unwrap().len();
        let ids = server.seen.ids.lock().unwrap().len();
        assert_eq!((bodies, ids), (1500, 1500));
        let pool = format!("-n 50 {data} --data-mode pool:10");
        let report = load(engine, server.address(), &pool).unwrap();
        let warned = |text: &String| text.starts_with("requests repeat: 50 calls");
        assert!(report.warnings.iter().any(warned), "{:?}", report.warnings);
    }
}

#[test]
fn the_age_of_connections_costs_no_pause() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Age(Duration::from_millis(150)));
        let flags = "--rate 300 --duration 2s --warmup 0 --streams 8";
        let report = load(engine, server.address(), flags).unwrap();
        assert_eq!(
            (report.counts.ok, report.failed()),
            (600, 0),
            "{:?}",
            report.failures
        );
        assert!(report.counts.reconnects >= 5, "{:?}", report.counts);
        // With a pause of 100 ms each time, two calls in five would wait for more than this.
        assert!(
            report.latency_us.p90.unwrap() < 30_000.0,
            "{:?}",
            report.latency_us
        );
        assert_eq!(report.unconnected(), None, "{:?}", report.counts);
    }
}

#[test]
fn a_target_that_goes_away_is_told() {
    let _alone = alone();
    for engine in engines() {
        let server = TestServer::start(engine, Answer::Good);
        let (address, seen) = (server.address().clone(), server.seen.clone());
        let report = std::thread::scope(|scope| {
            let run = scope.spawn(|| load(engine, &address, "--duration 1s --warmup 0"));
            while seen.calls.load(std::sync::atomic::Ordering::Relaxed) < 50 {
                std::thread::yield_now();
            }
            drop(server);
            run.join().unwrap().unwrap()
        });
        assert!(report.unconnected().unwrap() > 0.5, "{:?}", report.counts);
        let warned = |text: &String| text.starts_with("no connection: ");
        assert!(report.warnings.iter().any(warned), "{:?}", report.warnings);
    }
}
