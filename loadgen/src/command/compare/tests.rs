//! Tests of verdicts for synthetic turns with known differences.

use std::collections::BTreeMap;

use clap::Parser;
use fastrand::Rng;

use super::super::condition;
use super::*;
use crate::args::{Command, CommandLine};
use crate::report::tests::report;

fn args(flags: &str) -> CompareArgs {
    let line = "corespun-load compare h:1 h:2 --method a/b --proto x.proto";
    let words = line.split_ascii_whitespace();
    let parsed = CommandLine::parse_from(words.chain(flags.split_ascii_whitespace()));
    let Command::Compare(args) = parsed.command else {
        unreachable!("the line says compare");
    };
    *args
}

/// Returns a turn whose latencies and cost are about `factor` times a base value.
fn turn(flags: &str, factor: f64, random: &mut Rng) -> Report {
    let mut report = report(flags, 100);
    let factor = factor * (1.0 + 0.02 * (random.f64() - 0.5));
    let us = |base: f64| Some(base * factor);
    report.counts.failed = BTreeMap::new();
    report.counts.rps = 10_000.0 / factor;
    report.counts.offered_rps = report.counts.offered_rps.map(|_| report.counts.rps);
    report.latency_us = Percentiles {
        mean: None,
        p50: us(100.0),
        p90: us(200.0),
        p95: None,
        p99: us(400.0),
        p999: None,
        max: us(900.0),
    };
    report.cost.target_cpu_us_per_rpc = us(8.0);
    report
}

/// Returns a comparison in which A takes `factor` times as long.
fn compared(flags: &str, factor: f64, spoil: impl Fn(usize, &mut Report)) -> Comparison {
    let args = args(flags);
    let turns = schedule::turns(args.noise_pairs, args.pairs, 1).unwrap();
    let mut random = Rng::with_seed(9);
    let plan_flags = if args.run.pace.rate.is_some() {
        "--rate 9"
    } else {
        ""
    };
    let made = turns.iter().enumerate().map(|(index, turn_made)| {
        let factor = match turn_made.target {
            Side::A => factor,
            Side::B => 1.0,
        };
        let mut report = turn(plan_flags, factor, &mut random);
        report.setup.finished_unix_s += index as f64 * 10.0;
        spoil(index, &mut report);
        (*turn_made, report)
    });
    let made: Vec<_> = made.collect();
    analysis::compare(&args, made, turns.len())
}

fn verdict(comparison: &Comparison, name: &str) -> Verdict {
    let mut metrics = comparison.metrics.iter();
    metrics.find(|metric| metric.name == name).unwrap().verdict
}

#[test]
fn known_differences_get_their_words() {
    for (factor, wanted) in [
        (0.5, Verdict::Faster),
        (1.6, Verdict::Slower),
        (1.0, Verdict::WithinNoise),
    ] {
        let comparison = compared("", factor, |_, _| {});
        for name in ["rps", "p50", "p99", "max", "cpu_us"] {
            assert_eq!(verdict(&comparison, name), wanted, "{name} × {factor}");
        }
        let p99 = comparison
            .metrics
            .iter()
            .find(|metric| metric.name == "p99");
        let estimate = p99.unwrap().ratio.unwrap();
        assert!((estimate.ratio / factor - 1.0).abs() < 0.02, "{estimate:?}");
        assert_eq!(comparison.pairs, (12, 12));
        assert!(comparison.a.is_some() && comparison.b.is_some());
    }
    let sentence = compared("--a-name ours --b-name theirs", 0.5, |_, _| {}).verdict;
    assert!(
        sentence.starts_with("ours is faster than theirs: p99 0.50 ×"),
        "{sentence}"
    );
    assert!(sentence.contains("CPU per call 0.50 ×"), "{sentence}");
}

#[test]
fn the_maximum_is_that_of_all_turns_that_count() {
    let spoil = |index: usize, report: &mut Report| {
        report.latency_us.max = Some(1000.0 + index as f64);
        report.cost.steal_share = (index == 39).then_some(0.4);
    };
    let comparison = compared("", 1.0, spoil);
    let max = comparison
        .metrics
        .iter()
        .find(|metric| metric.name == "max");
    let (a, b) = max.map(|max| (max.a.unwrap(), max.b.unwrap())).unwrap();
    assert_eq!(a.max(b), 1038.0);
    assert!(a.min(b) >= 1036.0, "{a} {b}");
}

#[test]
fn an_open_loop_has_no_throughput_to_compare() {
    let comparison = compared("--rate 9", 0.5, |_, _| {});
    assert!(comparison.metrics.iter().all(|metric| metric.name != "rps"));
    assert_eq!(verdict(&comparison, "p99"), Verdict::Faster);
}

#[test]
fn a_busy_generator_leaves_only_cpu_to_tell() {
    let comparison = compared("", 0.5, |_, report| {
        report.cost.generator_cpu_share = 0.97;
        report.cost.target_use = None;
    });
    assert!(comparison.generator_limited);
    assert_eq!(verdict(&comparison, "rps"), Verdict::CannotTell);
    assert_eq!(verdict(&comparison, "cpu_us"), Verdict::Faster);
    assert!(comparison.warnings[0].starts_with("generator limited"));
}

#[test]
fn a_late_generator_leaves_only_what_it_did_not_make_to_tell() {
    let comparison = compared("--rate 9", 0.5, |_, report| {
        report.late_us = Some(Percentiles {
            p50: Some(1.0),
            p90: Some(20.0),
            p99: report.latency_us.p99.map(|p99| 0.8 * p99),
            ..Percentiles::default()
        });
    });
    assert_eq!(verdict(&comparison, "p99"), Verdict::CannotTell);
    assert_eq!(verdict(&comparison, "p50"), Verdict::Faster);
    assert_eq!(verdict(&comparison, "cpu_us"), Verdict::Faster);
    let warned = comparison.warnings.iter();
    let late: Vec<_> = warned
        .filter(|text| text.starts_with("generator late: p99 "))
        .collect();
    assert_eq!(late.len(), 1, "{comparison:?}");
    assert!(
        comparison.verdict.starts_with("Cannot tell"),
        "{comparison:?}"
    );
    let conditions = Condition::parse_all(&["ratio.p99>1.05".to_owned()]).unwrap();
    let document = Document::from(Body::Compare(Box::new(comparison)));
    let code = condition::judge(&conditions, &document, &mut Vec::new());
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(3)));
}

#[test]
fn turns_that_do_not_count_take_their_pair_with_them() {
    let comparison = compared("", 0.5, |index, report| {
        if index == 20 {
            report.cost.steal_share = Some(0.4);
        }
    });
    assert_eq!(comparison.pairs, (11, 12));
    let warning = &comparison.warnings[0];
    assert!(
        warning.contains("1 of 12") && warning.contains("steal of 40.0 %"),
        "{warning}"
    );
    let p99 = comparison
        .metrics
        .iter()
        .find(|metric| metric.name == "p99")
        .unwrap();
    assert!(p99.unfiltered.is_some() && p99.verdict == Verdict::Faster);
}

#[test]
fn what_was_interrupted_cannot_be_told() {
    let args = args("");
    let turns = schedule::turns(args.noise_pairs, args.pairs, 1).unwrap();
    let mut random = Rng::with_seed(1);
    let made = turns[..18]
        .iter()
        .map(|made| (*made, turn("", 1.0, &mut random)));
    let comparison = analysis::compare(&args, made.collect(), turns.len());
    assert!(
        comparison.verdict.starts_with("Cannot tell"),
        "{}",
        comparison.verdict
    );
    assert!(comparison.warnings[0].starts_with("interrupted: 18 of 40"));
}
