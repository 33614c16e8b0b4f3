//! Tests of lanes in open and closed loops, and of their connections.

use super::*;
use crate::schedule::{Curve, Schedule, Share};

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const PHASES: Phases = Phases {
    begin: at(0),
    measure: at(2),
    end: at(10),
};

fn key(slot: u32, id: u32) -> StreamKey {
    StreamKey { slot, id }
}

fn lane(rate: Option<f64>, streams: usize) -> Lane {
    let share = Share {
        lane: 0,
        lanes: 1,
        seed: 1,
    };
    let plan = crate::plan::tests::plan("").unwrap();
    let timetable = rate.map(|rate| {
        let schedule = Schedule::Rate {
            curve: Curve::Constant(rate),
            arrivals: crate::schedule::Arrivals::Even,
        };
        Timetable::new(&schedule, share, at(8))
    });
    let mut lane = Lane::new(timetable, Chooser::new(share, &plan.mix), streams);
    assert_eq!(lane.moor(), 0);
    lane
}

fn call(stream: StreamKey, intended: Duration, now: Duration) -> Call {
    Call::new(stream, 0, intended, now)
}

#[test]
fn an_open_loop_keeps_its_timetable_while_nothing_can_be_sent() {
    let mut lane = lane(Some(1000.0), 2);
    assert_eq!(lane.next_due(&PHASES), None);
    lane.begin(&PHASES);
    assert_eq!(lane.next_due(&PHASES), Some(at(0)));
    for (slot, intended) in [(0, at(0)), (1, at(1))] {
        assert_eq!(lane.due(at(5), &PHASES), Some(intended));
        lane.sent(0, call(key(slot, slot * 2 + 1), intended, at(5)));
    }
    assert!(!lane.has_room());
    let call = lane.end(0, key(1, 3)).unwrap();
    assert_eq!((call.intended, call.sent), (at(1), at(5)));
    assert!(lane.end(0, key(1, 3)).is_none() && lane.call(0, key(0, 9)).is_none());
    assert_eq!(lane.due(at(5), &PHASES), Some(at(2)));
    assert_eq!(lane.due(at(15), &PHASES), Some(at(2)));
    assert!(!lane.is_done(&PHASES));
    let mut censored = Vec::new();
    lane.censor(&PHASES, at(20), |place, intended, until| {
        censored.push((place, intended, until))
    });
    let due = (2..10).map(|millis| (None, at(millis), at(20)));
    assert_eq!(censored, due.collect::<Vec<_>>());
    assert!(lane.is_done(&PHASES));
    assert_eq!(lane.next_due(&PHASES), None);
}

#[test]
fn a_closed_loop_is_due_whenever_there_is_room() {
    let mut lane = lane(None, 1);
    lane.begin(&PHASES);
    assert_eq!(lane.next_due(&PHASES), Some(at(0)));
    assert_eq!(lane.due(at(3), &PHASES), Some(at(3)));
    lane.sent(
        0,
        Call {
            deadline: at(9),
            ..call(key(4, 1), at(3), at(3))
        },
    );
    assert_eq!((lane.next_due(&PHASES), lane.has_room()), (None, false));
    assert_eq!(lane.find(0, 0, |call| call.stream.id > 0), Some(key(4, 1)));
    assert_eq!(
        (lane.find(0, 5, |_| true), lane.find(0, 0, |_| false)),
        (None, None)
    );
    assert_eq!(lane.next_deadline(0), Some(at(9)));
    let times = lane.end(0, key(4, 1)).unwrap().times(at(4));
    assert_eq!(
        (times.intended, times.sent, times.ended),
        (at(3), at(3), at(4))
    );
    assert_eq!(lane.next_deadline(0), None);
}

#[test]
fn a_retired_connection_ends_its_calls_beside_the_next() {
    let mut lane = lane(None, 2);
    lane.set_link(0, Link::Up);
    lane.begin(&PHASES);
    lane.sent(0, call(key(0, 1), at(3), at(3)));
    lane.set_link(0, Link::Retired);
    assert_eq!((lane.moor(), lane.link.clone()), (1, Link::Opening));
    lane.set_link(1, Link::Up);
    lane.set_link(0, Link::Down("late".into()));
    assert!(lane.link == Link::Up && lane.may_start(1) && !lane.may_start(0));
    lane.sent(1, call(key(0, 1), at(4), at(4)));
    assert_eq!(
        (lane.in_flight(0), lane.in_flight(1), lane.has_room()),
        (1, 1, false)
    );
    assert_eq!(lane.end(0, key(0, 1)).unwrap().intended, at(3));
    lane.leave(0, "done".into());
    assert_eq!((lane.link.clone(), lane.moor()), (Link::Up, 0));
    assert_eq!(lane.end(1, key(0, 1)).unwrap().intended, at(4));
}

#[test]
fn a_link_goes_down_once() {
    let mut lane = lane(None, 1);
    lane.set_link(0, Link::Up);
    lane.set_link(0, Link::Down("first".into()));
    lane.set_link(0, Link::Down("second".into()));
    lane.set_link(0, Link::Up);
    assert_eq!(lane.link, Link::Down("first".into()));
    lane.set_link(0, Link::Opening);
    assert_eq!(lane.link, Link::Opening);
}
