//! Tests of the counters: windows, and no loss when intervals are taken.

use super::*;
use corespun_codec::Code;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const PHASES: Phases = Phases {
    begin: at(1),
    measure: at(2),
    end: at(10),
};

fn times(intended: u64, sent: u64, ended: u64) -> Times {
    Times {
        intended: at(intended),
        ready: at(intended),
        sent: at(sent),
        first: Some(at(sent)),
        ended: at(ended),
    }
}

#[test]
fn calls_belong_to_their_intended_start() {
    let mut record = Record::default();
    record.ended(&PHASES, times(1, 1, 3), Outcome::OK);
    record.ended(&PHASES, times(2, 3, 4), Outcome::OK);
    record.ended(&PHASES, times(9, 9, 11), Outcome::MissingStatus);
    record.ended(&PHASES, times(10, 10, 11), Outcome::Malformed);
    record.censored(at(5), at(11));
    let interval = record.take_interval((at(2), at(4)));
    assert_eq!((interval.all().len(), interval.failed), (5, 2));
    assert_eq!(interval.measured.response.len(), 3);
    assert!((interval.seconds() - 2.0).abs() < 1e-9);
    record.absorb(&interval);
    assert_eq!(record.ok(), 1);
    assert_eq!(record.failed().collect::<Vec<_>>(), [("MISSING_STATUS", 1)]);
    assert_eq!((record.censored, record.ended_in_window), (1, 2));
    assert_eq!(record.latencies.response.len(), 3);
    assert!(record.latencies.response.max() >= 6_000_000_000);
    assert_eq!(record.latencies.lag.max() / 1_000_000_000, 1);
    assert_eq!(
        record.take_interval((at(4), at(5))).measured.response.len(),
        0
    );
}

#[test]
fn outcomes_are_told_apart() {
    let mut record = Record::default();
    record.ended(&PHASES, times(3, 3, 4), Outcome::OK);
    record.ended(&PHASES, times(3, 3, 5), Outcome::Status(Code::NotFound));
    record.censored(at(3), at(6));
    let parts = record.settle().by_outcome();
    let shown: Vec<_> = parts
        .iter()
        .map(|(name, histogram)| (*name, histogram.len(), histogram.max() / 1_000_000_000))
        .collect();
    assert_eq!(
        shown,
        [("OK", 1, 1), ("NOT_FOUND", 1, 2), ("CENSORED", 1, 3)]
    );
}

#[test]
fn records_add_up_and_long_calls_are_kept() {
    let mut one = Record::default();
    let mut two = Record::default();
    one.ended(&PHASES, times(3, 3, 300), Outcome::OK);
    two.ended(&PHASES, times(3, 3, 4), Outcome::Status(Code::NotFound));
    two.reconnects = 2;
    two.gap(at(1));
    one.merge(two);
    let one = one.settle();
    assert_eq!((one.ok(), one.reconnects), (1, 2));
    assert_eq!((one.latencies.response.len(), one.gaps.len()), (2, 1));
    assert_eq!(one.failed().collect::<Vec<_>>(), [("NOT_FOUND", 1)]);
    assert!(one.latencies.response.max() >= NANOS_MAX);
}

#[test]
fn intervals_are_cut_at_the_start_of_the_window() {
    let phases = Phases {
        begin: Duration::from_millis(500),
        measure: Duration::from_millis(2700),
        end: at(10),
    };
    let cuts = [
        (500, 700),
        (699, 700),
        (700, 1700),
        (2699, 2700),
        (2700, 3700),
    ];
    for (from, to) in cuts {
        let cut = phases.next_cut(Duration::from_millis(from));
        assert_eq!(cut, Duration::from_millis(to), "after {from} ms");
    }
}
