//! Tests of the wheel against a model that keeps every timer in a sorted map.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{TimerKey, Wheel};

/// Small random number generator, so that a failing run can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// Returns a span from nanoseconds to years, with all magnitudes equally likely.
    fn span(&mut self) -> Duration {
        let bits = self.roll(59);
        Duration::from_nanos(self.roll(1 << bits | 1))
    }
}

#[test]
fn agrees_with_a_sorted_map() {
    for seed in 1..=40 {
        check_seed(seed);
    }
}

fn check_seed(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut now = Duration::from_nanos(dice.roll(1 << 50));
    let mut wheel = Wheel::new(now, 0);
    let mut model: BTreeMap<(Duration, u64), TimerKey> = BTreeMap::new();
    let mut fired = Vec::new();
    for name in 0..2000 {
        match dice.roll(4) {
            0 | 1 => {
                let deadline = now + dice.span();
                let key = wheel.insert(deadline, (deadline, name));
                model.insert((deadline, name), key);
            }
            2 if !model.is_empty() => {
                let nth = dice.roll(model.len() as u64) as usize;
                let (&timer, &key) = model.iter().nth(nth).expect("in range");
                assert_eq!(wheel.cancel(key), Some(timer), "seed {seed}");
                assert_eq!(wheel.cancel(key), None, "seed {seed}");
                model.remove(&timer);
            }
            _ => {
                now += dice.span() / 64;
                fired.clear();
                wheel.expire(now, &mut fired);
                fired.sort_unstable();
                let later = model.split_off(&(now, u64::MAX));
                assert!(fired.iter().eq(model.keys()), "seed {seed} at {now:?}");
                model = later;
            }
        }
        let first = model.keys().next().map(|(deadline, _)| *deadline);
        let next = wheel.next_deadline();
        assert_eq!(next.is_some(), first.is_some(), "seed {seed}");
        assert!(
            next <= first,
            "seed {seed}: {next:?} is later than {first:?}"
        );
    }
}

#[test]
fn one_timer_wakes_the_shard_once() {
    let mut wheel = Wheel::new(Duration::ZERO, 0);
    let deadline = Duration::from_secs(3600) + Duration::from_nanos(1);
    wheel.insert(deadline, ());
    assert_eq!(wheel.next_deadline(), Some(deadline));
    let mut fired = Vec::new();
    wheel.expire(deadline - Duration::from_nanos(1), &mut fired);
    assert!(fired.is_empty(), "one nanosecond early");
    wheel.expire(deadline, &mut fired);
    assert_eq!(fired.len(), 1);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn deadlines_in_the_past_and_beyond_reach_are_kept() {
    let now = Duration::from_secs(100);
    let mut wheel = Wheel::new(now, 0);
    wheel.insert(Duration::ZERO, "past");
    let far = wheel.insert(Duration::MAX, "never");
    let mut fired = Vec::new();
    wheel.expire(now, &mut fired);
    assert_eq!(fired, ["past"]);
    assert_eq!(wheel.cancel(far), Some("never"));
}
