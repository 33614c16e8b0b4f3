//! Tests of conditions: syntax and results.

use super::*;
use crate::command::{Calibration, Echo, Point, Sweep};
use crate::report::tests::report;

fn parsed(text: &str) -> Condition {
    Condition::parse(text).unwrap()
}

#[test]
fn limits_are_read_with_their_units() {
    for (text, limit) in [
        ("p99>2ms", 2000.0),
        ("p95>2ms", 2000.0),
        ("service.p50 > 800us", 800.0),
        ("errors>0.1%", 0.001),
        ("errors>0.5", 0.5),
        ("rps<10000", 10_000.0),
        ("ratio.p99>1.05@95%", 1.05),
    ] {
        let condition = parsed(text);
        assert!((condition.limit - limit).abs() < 1e-9, "{text}");
        assert_eq!(condition.above, text.contains('>'));
    }
    for text in [
        "p99",
        "p99>",
        "p99>2",
        "p98>2ms",
        "rps>-1",
        "p99>2ms@95%",
        "ratio.p99>1@90%",
        "cpu>3",
        "client.p99>1ms",
        "ratio.p95>1",
    ] {
        let error = Condition::parse(text).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn a_condition_that_cannot_fail_is_refused() {
    let good = [
        "errors>0",
        "errors>0%",
        "errors>99.9%",
        "errors>0.999",
        "errors<1",
        "errors<100%",
        "errors<0.1%",
        "p99>0s",
        "p99>59s",
        "p99<60s",
        "p99<1ns",
        "mean>1ms",
        "rps>0",
        "rps<0.001",
        "cpu_us<1",
        "ratio.p99<0.01",
        "ratio.p99>0",
    ];
    good.iter().for_each(|text| drop(parsed(text)));
    let cases = [
        ("errors>5", "a share is 0 to 1, or 0% to 100%"),
        ("errors>1.5", "a share is 0 to 1"),
        ("errors>1", "below 1"),
        ("errors>100%", "0% to 100%"),
        ("errors>101%", "0% to 100%"),
        ("errors<101%", "0% to 100%"),
        ("errors<0", "above 0"),
        ("errors>-1%", "a share is 0 to 1"),
        ("errors>NaN", "expected a metric"),
        ("errors>inf%", "expected a metric"),
        ("p99>60s", "below 60s"),
        ("p99>2m", "below 60s"),
        ("p99<61s", "at most 60s"),
        ("p99<0s", "above 0"),
        ("p99>-1ms", "expected a metric"),
        ("p97>1ms", "known are mean, p50"),
        ("p99>5%", "expected a metric"),
        ("rps<0", "never negative"),
        ("rps>-1", "never negative"),
        ("rps<NaN", "expected a metric"),
        ("rps>inf", "expected a metric"),
        ("cpu_us<-0.5", "never negative"),
        ("ratio.p99<0", "never negative"),
    ];
    for (text, wanted) in cases {
        let error = Condition::parse(text).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains(wanted), "{error}");
    }
}

#[test]
fn a_metric_that_the_run_does_not_measure_is_refused() {
    let cases = [
        ("--rate 1000", "p99>1ms", false, ""),
        ("--rate 100 --duration 10s", "p99>1ms", false, ""),
        (
            "--rate 99 --duration 10s",
            "p99>1ms",
            false,
            "needs 1000 calls, and the run makes 990",
        ),
        ("-n 19", "p50>1ms", false, "needs 20 calls"),
        ("-n 1", "max>1ms", false, ""),
        ("-n 20", "p50>1ms", false, ""),
        ("", "p999>1ms", false, ""),
        ("", "lag.p50>1ms", false, "no lag"),
        ("--rate 1000", "lag.p50>1ms", false, ""),
        ("", "cpu_us>8", false, "--target-pid"),
        ("--target-pid 1", "cpu_us>8", false, ""),
        ("", "ratio.p99>2", false, "needs compare"),
        ("", "ratio.p99>2", true, ""),
        ("", "ratio.cpu_us>2", true, "--a-pid"),
        ("--target-pid 1", "ratio.cpu_us>2", true, ""),
    ];
    for (flags, text, ratios, wanted) in cases {
        let plan = crate::plan::tests::plan(flags).unwrap();
        let checked = Condition::check_all(&[parsed(text)], &plan, ratios);
        let error = checked.map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(
            error.is_empty(),
            wanted.is_empty(),
            "{flags} {text}: {error}"
        );
        assert!(error.contains(wanted), "{flags} {text}: {error}");
    }
}

#[test]
fn a_run_is_judged() {
    let report = report("--rate 9 --connections 2", 1996);
    let cases = [
        ("p99>2ms", Answer::Holds(100.03)),
        ("p99>50us", Answer::Fails(100.03)),
        ("rps<1000", Answer::Fails(998.0)),
        ("rps>998", Answer::Holds(998.0)),
        ("cpu_us>1", Answer::Fails(2.002)),
        ("p999>1ms", Answer::Unknown("p999 is n/a".into())),
    ];
    for (text, wanted) in cases {
        let near = |a: f64, b: f64| (a - b).abs() < 0.1;
        let got = parsed(text).answer(Subject::Run(&report));
        let same = match (&got, &wanted) {
            (Answer::Holds(a), Answer::Holds(b)) | (Answer::Fails(a), Answer::Fails(b)) => {
                near(*a, *b)
            }
            (got, wanted) => got == wanted,
        };
        assert!(same, "{text}: {got:?}, not {wanted:?}");
    }
}

#[test]
fn each_point_of_a_sweep_is_judged() {
    let points = [1996, 1000].map(|calls| {
        let mut report = report("--rate 9 --connections 2", calls);
        report.warnings.clear();
        Point::of(report)
    });
    let sweep = Sweep::of(points.into(), None);
    let document = Document::from(Body::Sweep(Box::new(sweep)));
    let mut out = Vec::new();
    let code = judge(&[parsed("rps<900")], &document, &mut out);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    let text = String::from_utf8(out).unwrap();
    let said: Vec<bool> = text.lines().map(|line| line.contains("FAILS")).collect();
    assert_eq!(said, [false, true], "{text}");
    assert!(
        text.contains("2 connections × 1 stream at 999/s: "),
        "{text}"
    );
}

#[test]
fn a_calibration_may_saturate_its_generator() {
    let mut null = report("--connections 2", 1996);
    null.warnings.push("generator saturated: 99 %".to_owned());
    let calibration = Calibration {
        warnings: null.warnings.clone(),
        null,
        echo: Echo::default(),
    };
    let document = Document::from(Body::Calibrate(Box::new(calibration)));
    for (condition, wanted) in [("rps<900", 0), ("rps<1000", 2)] {
        let code = judge(&[parsed(condition)], &document, &mut Vec::new());
        let wanted = ExitCode::from(wanted);
        assert_eq!(format!("{code:?}"), format!("{wanted:?}"), "{condition}");
    }
}

#[test]
fn the_exit_code_tells_failed_from_invalid() {
    let code = |report: Report, conditions: &[&str]| {
        let document = Document::from(Body::Run(Box::new(report)));
        let conditions: Vec<_> = conditions.iter().map(|text| parsed(text)).collect();
        let mut out = Vec::new();
        let code = judge(&conditions, &document, &mut out);
        (format!("{code:?}"), String::from_utf8(out).unwrap())
    };
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    let good = || report("--rate 9 --connections 2", 1996);
    let quiet = || {
        let mut report = good();
        report.warnings.clear();
        report
    };
    assert_eq!(code(quiet(), &[]), (is(0), String::new()));
    assert_eq!(code(quiet(), &["p99>2ms"]).0, is(0));
    let (failed, text) = code(quiet(), &["p99>2ms", "rps<1000"]);
    assert_eq!(failed, is(2));
    assert!(text.contains("rps<1000: FAILS, it is 998.0"), "{text}");
    assert_eq!(code(quiet(), &["p999>2ms", "rps<1000"]).0, is(3));
    let mut saturated = quiet();
    saturated
        .warnings
        .push("generator saturated: 99 %".to_owned());
    assert_eq!(code(saturated, &["p99>2ms"]).0, is(3));
}

#[test]
fn a_run_without_a_connection_fails() {
    let mut report = report("--rate 9 --connections 2", 1996);
    report.warnings.clear();
    report.counts.unconnected_s = report.setup.duration_s;
    let document = Document::from(Body::Run(Box::new(report)));
    let mut out = Vec::new();
    let code = judge(&[parsed("errors>1%")], &document, &mut out);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("connected: FAILS, there was no connection for 50.0 %"),
        "{text}"
    );
    let code = judge(&[], &document, &mut Vec::new());
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}
