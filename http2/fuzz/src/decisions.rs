//! A fuzzer's bytes as decisions, and the duel that they decide.

use corespun_http2::Role;

use crate::duel::{Adversary, Choice, Duel, Pace, Temper, Terms};

/// Steps of one input: more would only make it slow.
const STEPS_MAX: usize = 400;

/// Bytes as decisions; when they are used up, each is the first.
pub(crate) struct Decisions<'a>(pub(crate) &'a [u8]);

impl Decisions<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }
}

impl Choice for Decisions<'_> {
    fn below(&mut self, end: usize) -> usize {
        let mut number = usize::from(self.byte());
        if end > 256 {
            number = number << 8 | usize::from(self.byte());
        }
        number % end
    }
}

/// A connection against frames of every kind, its application's calls in between.
pub fn connection_frames(data: &[u8]) {
    let mut decisions = Decisions(data);
    let target = decisions.pick(&[Role::Server, Role::Client]);
    let terms = Terms {
        pace: Pace {
            attack: 4,
            deliver: 4,
            act: 4,
            transmit: 2,
            wait: 1,
        },
        cut_after: usize::MAX,
        deaf: false,
    };
    let manners = decisions.pick(&[100, 97, 80]);
    let weights = std::array::from_fn(|_| 1);
    let adversary = Adversary::new(target, Temper { weights, manners });
    let mut duel = Duel::new(adversary, terms, &mut decisions);
    for _ in 0..STEPS_MAX {
        if decisions.0.is_empty() || !duel.step(&mut decisions, &mut |_| {}) {
            break;
        }
    }
    duel.finish(&mut |_| {});
}
