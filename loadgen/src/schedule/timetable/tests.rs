//! Compares the timetables of all connections with their schedules.

use super::*;

const fn at(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

const SECOND: u64 = 1_000_000_000;

fn phases(warmup: u64) -> Phases {
    Phases {
        begin: at(1000),
        measure: at(1000 + warmup),
        end: Duration::MAX,
    }
}

fn schedule(rate: &str, arrivals: &str) -> Schedule {
    Schedule::Rate {
        curve: Curve::parse(rate, at(10 * SECOND)).unwrap(),
        arrivals: arrivals.parse().unwrap(),
    }
}

fn share(lane: usize, lanes: usize) -> Share {
    Share {
        lane,
        lanes,
        seed: 7,
    }
}

fn table(schedule: &Schedule, share: Share, warmup: u64) -> Timetable {
    let mut table = Timetable::new(schedule, share, at(10 * SECOND));
    assert_eq!(table.next_due(), Duration::MAX, "nothing is due yet");
    table.start(&phases(warmup));
    table
}

/// Returns all times before `until` over this many connections, in order, in ns since the start.
fn times(schedule: &Schedule, lanes: usize, warmup: u64, until: u64) -> Vec<u64> {
    let mut all = Vec::new();
    for lane in 0..lanes {
        let mut table = table(schedule, share(lane, lanes), warmup);
        while table.next_due() < at(1000 + until) {
            all.push(table.take().as_nanos() as u64 - 1000);
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn shares_put_together_are_the_whole() {
    let cases = [
        ("1000", "even"),
        ("333.3", "even"),
        ("10..500", "even"),
        ("100,0,300 every 2s", "even"),
        ("100+-100 every 3s", "even"),
        ("100..200", "bursts:7"),
    ];
    for (rate, arrivals) in cases {
        let schedule = schedule(rate, arrivals);
        let whole = times(&schedule, 1, 0, 10 * SECOND);
        for lanes in [2, 3, 16] {
            assert_eq!(
                times(&schedule, lanes, 0, 10 * SECOND),
                whole,
                "{rate} {lanes}"
            );
        }
        let wanted = schedule.mean_rate(at(10 * SECOND)) * 10.0;
        let size = if arrivals == "even" { 1.0 } else { 7.0 };
        assert!(
            (whole.len() as f64 - wanted).abs() <= size,
            "{rate}: {}",
            whole.len()
        );
    }
}

#[test]
fn even_calls_lie_where_the_curve_says() {
    let micro = schedule("1000000", "even");
    assert_eq!(times(&micro, 2, 0, 4000), [0, 1000, 2000, 3000]);
    let steps = schedule("2,4 every 1s", "even");
    let millis: Vec<_> = times(&steps, 3, 0, 2 * SECOND)
        .iter()
        .map(|time| time / 1_000_000)
        .collect();
    assert_eq!(millis, [0, 500, 1000, 1250, 1500, 1750]);
    let bursts = schedule("1000", "bursts:3");
    let millis: Vec<_> = times(&bursts, 2, 0, 7_000_000)
        .iter()
        .map(|time| time / 1_000_000)
        .collect();
    assert_eq!(millis, [0, 0, 0, 3, 3, 3, 6, 6, 6]);
}

#[test]
fn errors_do_not_add_up() {
    let mut table = table(&schedule("3", "even"), share(0, 1), 0);
    let last = (0..=3_000_000).map(|_| table.take()).last();
    assert_eq!(last, Some(at(1000) + Duration::from_secs(1_000_000)));
}

#[test]
fn the_warm_up_is_even_and_the_window_starts_anew() {
    let schedule = schedule("1000,2000 every 1s", "even");
    let all = times(&schedule, 2, SECOND / 2 + 300_000, 3 * SECOND);
    let warm = all.iter().filter(|time| **time < SECOND / 2 + 300_000);
    assert_eq!(warm.count(), 501);
    assert_eq!(all[500..503], [500_000_000, 500_300_000, 501_300_000]);
}

/// Gaps of a Poisson process of rate 1000/s have mean and standard deviation 1 ms. Counts in
/// windows of 100 ms have mean and variance 100. Both hold for any number of connections.
#[test]
fn random_calls_are_a_poisson_process() {
    let schedule = schedule("1000", "poisson");
    for lanes in [1, 5] {
        let all = times(&schedule, lanes, 0, 100 * SECOND);
        let gaps: Vec<_> = all
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / 1e6)
            .collect();
        let (mean, deviation) = moments(&gaps);
        assert!(
            (mean - 1.0).abs() < 0.02 && (deviation - 1.0).abs() < 0.03,
            "{mean} {deviation}"
        );
        let mut counts = vec![0.0; 1000];
        for time in &all {
            counts[(time / (SECOND / 10)) as usize] += 1.0;
        }
        let (mean, deviation) = moments(&counts);
        let variance = deviation * deviation;
        assert!(
            (mean - 100.0).abs() < 2.0 && (variance - 100.0).abs() < 20.0,
            "{mean} {variance}"
        );
    }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    (mean, variance.sqrt())
}

#[test]
fn random_calls_follow_the_curve() {
    let schedule = schedule("0..2000", "poisson");
    let all = times(&schedule, 4, 0, 10 * SECOND);
    let late = all.iter().filter(|time| **time >= 5 * SECOND).count() as f64;
    // A quarter of the calls of a ramp from 0 lies in its first half.
    assert!(
        (late / all.len() as f64 - 0.75).abs() < 0.02,
        "{late} of {}",
        all.len()
    );
}

#[test]
fn a_seed_repeats_itself_and_another_does_not() {
    let schedule = schedule("1000", "poisson");
    let first = |seed, lane| {
        let share = Share {
            lane,
            lanes: 2,
            seed,
        };
        table(&schedule, share, 0).next_due()
    };
    assert_eq!(first(1, 0), first(1, 0));
    assert_ne!(first(1, 0), first(2, 0));
    assert_ne!(first(1, 0), first(1, 1));
}

#[test]
fn a_trace_is_kept_to_the_letter() {
    let trace = Trace::parse("0.001\n0.002\n0.0025\n1.5\n").unwrap();
    let schedule = Schedule::Trace(Arc::new(trace));
    let all = times(&schedule, 2, 0, 10 * SECOND);
    assert_eq!(all, [1_000_000, 2_000_000, 2_500_000, 1_500_000_000]);
    let mut table = table(&schedule, share(0, 2), 0);
    assert_eq!([table.take(), table.take()], [at(1_001_000), at(2_501_000)]);
    assert_eq!(table.next_due(), Duration::MAX);
}
