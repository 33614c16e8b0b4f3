//! Overload detection as a table of delays over time, and a simulated shard under too much load.

use super::*;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn controller() -> Controller {
    Controller::new(ms(5), ms(100))
}

/// Feeds turns of one call each, as (moment, delay), and checks the state after them.
fn check(turns: impl IntoIterator<Item = (u64, u64)>, overloaded: bool) {
    let mut controller = controller();
    let turns: Vec<_> = turns.into_iter().collect();
    for &(at, wait) in &turns {
        controller.admits(ms(at), ms(wait), ms(wait));
        controller.on_turn(ms(at), ms(wait));
    }
    assert_eq!(controller.is_overloaded(), overloaded, "{turns:?}");
}

#[test]
fn a_wait_must_stand_for_an_interval() {
    let steps = |until: u64, wait: u64| (0..=until).step_by(10).map(move |at| (at, wait));
    check(steps(1000, 4), false);
    check(steps(90, 1000), false);
    check(steps(100, 5), true);
    // One turn below the target starts a new interval.
    check(steps(90, 50).chain([(95, 4), (100, 50), (190, 50)]), false);
    check(steps(90, 50).chain([(95, 4), (100, 50), (200, 50)]), true);
    // One long stall, with the calls that arrived meanwhile, is not overload.
    check([(0, 1), (1000, 1000), (1010, 3), (1020, 50)], false);
}

#[test]
fn bursts_with_pauses_between_them_are_no_overload() {
    let mut controller = controller();
    for at in (0..1000).step_by(50) {
        controller.admits(ms(at), ms(20), ms(20));
        controller.on_turn(ms(at), ms(20));
        controller.on_pause(ms(6));
    }
    assert!(!controller.is_overloaded());
    // The pause is no longer than the way into the kernel and back.
    for at in (1000..1150).step_by(50) {
        controller.admits(ms(at), ms(20), ms(20));
        controller.on_turn(ms(at), ms(20));
        controller.on_pause(ms(5));
    }
    assert!(controller.is_overloaded());
}

fn overloaded() -> Controller {
    let mut controller = controller();
    assert!(controller.admits(ms(0), ms(50), ms(50)));
    controller.on_turn(ms(100), ms(50));
    // The controller takes this one as its first sample: 0 ms, so that the tables below have all
    // others.
    assert!(!controller.is_overloaded());
    assert!(!controller.admits(ms(100), ms(50), ms(50)));
    controller
}

#[test]
fn overload_refuses_what_would_wait_and_nothing_else() {
    let mut calm = controller();
    assert!(calm.admits(ms(0), ms(50), ms(50)));
    assert!(calm.admits(ms(99), ms(1_000_000), ms(1_000_000)));
    let mut controller = overloaded();
    assert!(controller.admits(ms(100), ms(500), ms(5)));
    assert!(!controller.admits(ms(100), ms(500), ms(5) + Duration::from_nanos(1)));
}

#[test]
fn overload_ends_when_an_interval_was_half_empty_or_idle() {
    // Measured after the call that began the overload, which would have waited 50 ms.
    let after = |wait: u64, calls: u32, at: u64| {
        let mut controller = overloaded();
        for _ in 0..calls {
            controller.admits(ms(100), ms(wait), ms(wait));
        }
        controller.on_turn(ms(at), ms(0));
        controller.is_overloaded()
    };
    assert!(after(2, 95, 200), "2.5 ms on average: not less than half");
    assert!(!after(2, 96, 200));
    assert!(after(2, 96, 199), "the interval is not over");
    assert!(after(50, 2, 900), "a turn may be longer than an interval");
    let mut controller = overloaded();
    controller.on_pause(ms(99));
    assert!(controller.is_overloaded());
    controller.on_pause(ms(100));
    assert!(!controller.is_overloaded(), "nothing came for an interval");
}

#[test]
fn callers_stay_away_for_as_long_again() {
    assert_eq!(controller().pushback(ms(7)), ms(100));
    let controller = overloaded();
    assert_eq!(controller.pushback(ms(100)), ms(100));
    assert_eq!(controller.pushback(ms(3000)), ms(3000));
    assert_eq!(controller.pushback(ms(60_000)), ms(10_000));
    let patient = Controller::new(ms(5), ms(20_000));
    assert_eq!(patient.pushback(ms(0)), ms(10_000));
}

/// Simulates arrivals evenly spaced at `load` times the capacity, with 1 ms of work for each. A
/// refusal costs a hundredth of that. Returns goodput relative to capacity and the longest delay of
/// an admitted call, both measured after the first second.
fn simulate(load: f64, controlled: bool) -> (f64, Duration) {
    const WORK: f64 = 1.0;
    let mut controller = Controller::new(ms(20), ms(100));
    let (mut now, mut waited, mut due) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut done, mut longest, mut last) = (0.0_f64, 0.0_f64, 0.0_f64);
    let at = |now: f64| Duration::from_secs_f64(now / 1e3);
    while now < 4000.0 {
        let begin = now.max(due);
        controller.on_turn(at(begin), at(last));
        controller.on_pause(at(begin - now));
        if begin > now {
            waited = 0.0;
        }
        now = begin;
        while due <= begin {
            due += WORK / load;
            let wait = waited + (now - begin);
            last = wait;
            let admitted = controller.admits(at(now), at(wait), at(now - begin)) || !controlled;
            if admitted && now > 1000.0 {
                done += 1.0;
                longest = longest.max(wait);
            }
            now += if admitted { WORK } else { WORK / 100.0 };
        }
        waited = now - begin;
    }
    (done * WORK / (now - 1000.0), at(longest))
}

#[test]
fn a_shard_that_is_offered_thrice_its_capacity_stays_at_work_and_on_time() {
    let (goodput, longest) = simulate(3.0, true);
    assert!(goodput > 0.9, "{goodput}");
    assert!(longest <= ms(44), "{longest:?}");
    let (_, without) = simulate(3.0, false);
    assert!(without > ms(400), "{without:?}");
    let (goodput, longest) = simulate(10.0, true);
    assert!(goodput > 0.8, "{goodput}");
    assert!(longest <= ms(44), "{longest:?}");
}

#[test]
fn a_shard_with_time_to_spare_refuses_nobody() {
    for load in [0.5, 0.9] {
        let (goodput, longest) = simulate(load, true);
        assert!((goodput - load).abs() < 0.01, "{load}: {goodput}");
        assert!(longest <= ms(20), "{load}: {longest:?}");
    }
}
