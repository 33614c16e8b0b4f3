//! Comparison of reports with values that the server measured.
//!
//! The server records the delay of each response. A busy machine adds delays that the generator
//! does not cause, so a failed run may be repeated.

use std::sync::atomic::Ordering;
use std::time::Duration;

use corespun_load::Report;
use corespun_runtime::Engine;

use crate::server::{Answer, TestServer};
use crate::{alone, engines, load, scratch};

/// Largest relative error of a reported value.
const TOLERANCE: f64 = 0.02;

/// Largest number of repetitions because the machine was busy.
const TRIES: usize = 4;

/// Returns the value below which this many per mille of the sorted `values` lie.
fn quantile(values: &[u64], per_mille: usize) -> f64 {
    let rank = (values.len() * per_mille).div_ceil(1000).max(1);
    values[rank - 1] as f64 / 1e3
}

fn differs(name: &str, reported: f64, truth: f64) -> Option<String> {
    let error = (reported - truth).abs() / truth;
    (error > TOLERANCE).then(|| format!("{name} is {reported:.1}, in truth {truth:.1}"))
}

/// Repeats a run until `judge` finds no error, and fails after the last repetition.
fn holds(name: &str, mut judge: impl FnMut() -> Vec<String>) {
    let mut faults = Vec::new();
    for _ in 0..TRIES {
        faults = judge();
        if faults.is_empty() {
            return;
        }
    }
    panic!("{name}: {faults:?}");
}

/// Makes a run against responses that are delayed by 20 to 80 ms, evenly distributed.
fn delayed(engine: Engine, flags: &str, calls: Option<u64>) -> Vec<String> {
    let (low, high) = (Duration::from_millis(20), Duration::from_millis(80));
    let server = TestServer::start(engine, Answer::Delay(low, high));
    let flags = format!("--connections 4 --warmup 0s --duration 2s {flags}");
    let report = load(engine, server.address(), &flags).unwrap();
    let mut held = server.seen.held.lock().unwrap().clone();
    held.sort_unstable();
    assert_eq!(
        (report.failed(), report.counts.censored),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(
        report.counts.ok,
        held.len() as u64,
        "every call is counted, once"
    );
    if let Some(calls) = calls {
        let off = report.counts.ok.abs_diff(calls);
        assert!(off <= 1, "{flags}: {} of {calls} calls", report.counts.ok);
    }
    let mut faults = Vec::new();
    for (name, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990)] {
        let truth = quantile(&held, per_mille);
        let values = [
            ("latency", report.latency_us),
            ("service", report.service_us),
        ];
        for (kind, values) in values {
            let value = match per_mille {
                500 => values.p50,
                900 => values.p90,
                _ => values.p99,
            };
            // A machine that stood still leaves too few calls for a percentile.
            let value = value.unwrap_or(f64::INFINITY);
            faults.extend(differs(&format!("{kind} {name}"), value, truth));
        }
        // The distribution itself is what it was meant to be.
        let meant = 20_000.0 + 60.0 * per_mille as f64;
        faults.extend(differs(&format!("held {name}"), truth, meant));
    }
    faults
}

#[test]
fn a_known_distribution_is_reported_in_every_schedule() {
    let _alone = alone();
    let trace = scratch("truth.trace");
    let lines: String = (0..1200)
        .map(|call| format!("{}\n", f64::from(call) / 600.0))
        .collect();
    std::fs::write(&trace, lines).unwrap();
    let replay = format!("--streams 64 --replay {}", trace.display());
    let cases = [
        ("--streams 16", None),
        ("--streams 64 --rate 600", Some(1200)),
        ("--streams 64 --rate 600 --schedule poisson", None),
        ("--streams 64 --rate 600 --schedule bursts:20", Some(1200)),
        ("--streams 64 --rate 200..1000", Some(1200)),
        ("--streams 64 --rate 300,900,600", Some(1200)),
        ("--streams 64 --rate 600+-600", Some(1200)),
        (replay.as_str(), Some(1200)),
    ];
    let engines: Vec<_> = engines().collect();
    for (number, (flags, calls)) in cases.into_iter().enumerate() {
        // In turns, so that every schedule is seen and no engine is left out.
        let engine = engines[number % engines.len()];
        holds(flags, || delayed(engine, flags, calls));
    }
    std::fs::remove_file(&trace).unwrap();
}

#[test]
fn one_failure_in_a_hundred_is_one_in_a_hundred() {
    let _alone = alone();
    for engine in engines() {
        for flags in [
            "--streams 4",
            "--streams 32 --rate 2000",
            "--streams 32 --rate 500..2000",
        ] {
            let server = TestServer::start(engine, Answer::FailEvery(100));
            let flags = format!("--connections 2 --warmup 0s --duration 500ms {flags}");
            let report = load(engine, server.address(), &flags).unwrap();
            let failed = server.seen.failed.load(Ordering::Relaxed);
            assert_eq!(report.counts.failed["INTERNAL"], failed, "{report:?}");
            assert_eq!(report.failed(), failed, "{report:?}");
            assert_eq!(report.counts.ok + failed, server.calls(), "{report:?}");
            assert_eq!(failed, server.calls() / 100);
        }
    }
}

#[test]
fn a_status_that_is_missing_is_never_success() {
    let _alone = alone();
    for engine in engines() {
        for flags in ["--streams 4", "--streams 32 --rate 2000 --schedule poisson"] {
            let server = TestServer::start(engine, Answer::NoStatus);
            let flags = format!("--connections 2 --warmup 0s --duration 300ms {flags}");
            let report = load(engine, server.address(), &flags).unwrap();
            assert_eq!(report.counts.ok, 0, "{report:?}");
            assert_eq!(
                report.counts.failed["MISSING_STATUS"],
                server.calls(),
                "{report:?}"
            );
        }
    }
}

/// Makes a run of ten seconds against a server that stalls for one; returns its report.
fn stalled(engine: Engine, flags: &str) -> Report {
    let server = TestServer::start(engine, Answer::Stall(1000, Duration::from_secs(1)));
    let flags = format!("--connections 1 --warmup 0s --duration 10s {flags}");
    let report = load(engine, server.address(), &flags).unwrap();
    assert_eq!(
        (report.failed(), report.counts.censored),
        (0, 0),
        "{report:?}"
    );
    report
}

#[test]
fn a_stall_of_a_second_in_ten_shows_in_an_open_loop_and_hides_in_a_closed_one() {
    let _alone = alone();
    let Some(engine) = engines().next() else {
        return;
    };
    holds("open loop", || {
        let report = stalled(engine, "--streams 100 --rate 500");
        // A tenth of the calls was meant to start while the server stood still, evenly spread,
        // so a hundredth of all waited for more than 900 ms, and a twentieth for more than 500.
        let p99 = differs("p99", report.latency_us.p99.unwrap(), 900_000.0);
        let max = differs("max", report.latency_us.max.unwrap(), 1_000_000.0);
        p99.into_iter().chain(max).collect()
    });
    let report = stalled(engine, "--streams 4");
    assert!(report.latency_us.p99.unwrap() < 50_000.0, "{report:?}");
    assert!(report.latency_us.max.unwrap() > 990_000.0, "{report:?}");
    let text = &report.warnings[0];
    assert!(text.starts_with("closed loop"), "{text}");
}

#[test]
fn a_recorded_run_can_be_replayed() {
    let _alone = alone();
    for engine in engines() {
        let trace = scratch("recorded.trace");
        let server = TestServer::start(engine, Answer::Good);
        let flags = format!(
            "--connections 2 --cores 2 --streams 8 --warmup 100ms --duration 500ms --rate 1000 \
             --schedule poisson --seed 9 --record {}",
            trace.display()
        );
        let first = load(engine, server.address(), &flags).unwrap();
        let text = std::fs::read_to_string(&trace).unwrap();
        let calls = text.lines().filter(|line| !line.starts_with('#'));
        let offsets: Vec<f64> = calls
            .map(|line| line.split('\t').next().unwrap().parse().unwrap())
            .collect();
        assert!(offsets.is_sorted() && offsets.iter().all(|offset| (0.0..0.5).contains(offset)));
        assert_eq!(offsets.len() as u64, first.counts.ok);
        let flags = format!(
            "--connections 3 --streams 8 --warmup 0s --replay {}",
            trace.display()
        );
        let second = load(engine, server.address(), &flags).unwrap();
        std::fs::remove_file(&trace).unwrap();
        assert_eq!(second.counts.ok, first.counts.ok, "{second:?}");
        let length = offsets.last().unwrap();
        assert!(
            (second.setup.duration_s - length).abs() < 1e-6,
            "{second:?}"
        );
    }
}

#[test]
fn a_target_that_falls_behind_is_told_though_every_call_ends() {
    let _alone = alone();
    // One call at a time, each held for 10 ms: at most a hundred a second.
    let hold = Duration::from_millis(10);
    for engine in engines() {
        for (rate, behind) in [(60, false), (118, true)] {
            holds(&format!("{rate}/s"), || {
                let server = TestServer::start(engine, Answer::Delay(hold, hold));
                let flags = format!("--rate {rate} --warmup 1s --duration 2s");
                let report = load(engine, server.address(), &flags).unwrap();
                let told = |text: &String| text.starts_with("falling behind: ");
                let told = report.warnings.iter().any(told);
                match (told, report.counts.censored) == (behind, 0) {
                    true => Vec::new(),
                    false => vec![format!("{:?} {:?}", report.counts, report.warnings)],
                }
            });
        }
    }
}
