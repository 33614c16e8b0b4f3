//! Tests of each warning with its cause.

use super::*;
use crate::measure::{Phases, Record, Times};
use crate::outcome::Outcome;
use crate::process::{Used, Window};
use crate::report::Findings;
use corespun_codec::Code;
use std::time::Duration;

/// Lag and service time in µs of a thousand calls, and their outcome.
type Calls = (u64, u64, Outcome);

const fn at(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

fn warn(flags: &str, calls: &[Calls], window: Window) -> String {
    let plan = crate::plan::tests::plan(flags).unwrap();
    let phases = Phases {
        begin: at(0),
        measure: at(0),
        end: at(1_000_000),
    };
    let mut record = Record::default();
    for &(lag, service, outcome) in calls {
        let times = Times {
            intended: at(0),
            ready: at(0),
            sent: at(lag),
            first: None,
            ended: at(lag + service),
        };
        for _ in 0..1000 {
            record.ended(&phases, times, outcome);
        }
    }
    let findings = Findings {
        record,
        window,
        ..Findings::default()
    };
    Report::new(&plan, findings).warnings.join("\n")
}

fn window() -> Window {
    Window {
        length: at(1_000_000),
        ..Window::default()
    }
}

#[test]
fn one_full_core_among_idle_ones_is_seen() {
    let mut report = crate::report::tests::report("--rate 9 --connections 2", 10);
    assert_eq!(saturated(&report), None);
    report.cost.busiest_core_share = 0.96;
    assert!(saturated(&report).unwrap().contains("96 % of a core"));
}

#[test]
fn requests_that_repeat_are_told() {
    let data = "--rate 9 --connections 2 --data {\"id\":{{seq}}}";
    let mut report = crate::report::tests::report(data, 10);
    assert_eq!(
        (report.setup.repeats_after, repeated(&report)),
        (None, None)
    );
    report = crate::report::tests::report(&format!("{data} --data-mode pool:11"), 10);
    report.counts.ok = 11;
    report.counts.failed.clear();
    report.counts.censored = 0;
    assert_eq!(repeated(&report), None);
    report.counts.ok = 12;
    assert!(
        repeated(&report)
            .unwrap()
            .contains("12 calls used 11 requests in turn")
    );
}

#[test]
fn time_without_a_connection_is_told() {
    let mut report = crate::report::tests::report("--rate 9 --connections 2", 10);
    report.setup.duration_s = 10.0;
    report.counts.unconnected_s = 0.2;
    assert_eq!(unconnected(&report), None);
    report.counts.unconnected_s = 5.0;
    assert!(
        unconnected(&report)
            .unwrap()
            .starts_with("no connection: 25.0 %")
    );
}

#[test]
fn a_latency_that_is_cut_off_is_told() {
    let mut response = crate::measure::histogram();
    response.saturating_record(NANOS_MAX - 100_000_000);
    assert_eq!(cut(&response), None);
    response.saturating_record(NANOS_MAX);
    assert!(cut(&response).unwrap().contains("above 60 s"));
}

#[test]
fn a_quiet_open_loop_has_little_to_say() {
    let text = warn(
        "--rate 10 --connections 2",
        &[(1, 100, Outcome::OK); 10],
        window(),
    );
    assert_eq!(text, "");
}

#[test]
fn a_busy_generator_is_excused_by_a_busy_target() {
    let busy = |target_s: f64| Window {
        own_cpu: at(980_000),
        target: Some(Used {
            cpu_s: target_s,
            ..Used::default()
        }),
        ..window()
    };
    let calls = [(0, 100, Outcome::OK); 10];
    let closed = "--connections 2 --target-pid 1";
    assert!(warn(closed, &calls, busy(0.5)).contains("generator saturated"));
    assert!(!warn(closed, &calls, busy(0.97)).contains("generator saturated"));
    let open = "--connections 2 --rate 10";
    assert!(warn(open, &calls, busy(0.97)).contains("generator saturated"));
}

#[test]
fn each_warning_has_its_cause() {
    let ok = (1, 100, Outcome::OK);
    let open = "--rate 10 --connections 2";
    let busy = Window {
        own_cpu: at(950_000),
        ..window()
    };
    let stolen = Window {
        steal_share: Some(0.08),
        ..window()
    };
    let stopped = Window {
        interrupted: true,
        ..window()
    };
    let missing = (0, 5, Outcome::MissingStatus);
    let nagle = (0, 40_500, Outcome::OK);
    let error = (0, 5, Outcome::Status(Code::Internal));
    let idle = Window {
        target: Some(Used::default()),
        ..window()
    };
    let cases: [(&str, &[Calls], Window, &str); 11] = [
        (
            "--target-pid 1 --rate 1",
            &[ok],
            idle,
            "target idle: process 1 used 0.000 CPU-µs",
        ),
        (
            "",
            &[ok],
            window(),
            "closed loop: latency excludes queueing",
        ),
        ("", &[ok], window(), "single connection"),
        (open, &[ok], busy, "generator saturated: it used 95 %"),
        (open, &[(20, 80, Outcome::OK)], window(), "generator late"),
        (open, &[ok], stolen, "steal: the hypervisor gave 8.0 %"),
        (open, &[ok], stopped, "interrupted"),
        (
            open,
            &[ok, missing],
            window(),
            "target errors: 1000 of 2000",
        ),
        (open, &[ok, error], window(), "p999 needs 10000"),
        (open, &[ok, nagle], window(), "40 ms plateau: 50.0 %"),
        (
            "--target-pid 1 --rate 1",
            &[ok],
            window(),
            "no target CPU: process 1",
        ),
    ];
    for (flags, calls, window, wanted) in cases {
        let text = warn(flags, calls, window);
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}
