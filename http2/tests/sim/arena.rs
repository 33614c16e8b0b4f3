//! One connection against an adversary, its habits chosen by the seed.

use corespun_http2::Role;

use crate::duel::{Adversary, Choice, Duel, Pace, Temper, Terms};
use crate::random::Random;
use crate::runner::Flaw;
use crate::trace::Trace;

impl Choice for Random {
    fn below(&mut self, end: usize) -> usize {
        Random::below(self, end)
    }
}

/// A duel and the seed's decisions.
pub(crate) struct Arena {
    random: Random,
    duel: Duel,
}

/// An adversary of its own kind: some moves never, some all the time, so that seeds differ in more
/// than the order of the same things; and mostly lawful, since few errors a connection survives.
fn temper(random: &mut Random) -> Temper {
    let weights = std::array::from_fn(|at| match at {
        // Traffic: heads, bodies, trailers, resets, credit, settings and their replies.
        0..9 => random.pick(&[0, 1, 3, 10, 10]),
        _ => random.pick(&[0, 0, 1, 3]),
    });
    let manners = random.pick(&[100, 100, 99, 98, 95, 80]);
    Temper { weights, manners }
}

impl Arena {
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Arena {
        let mut random = Random(seed);
        let target = random.pick(&[Role::Server, Role::Server, Role::Client]);
        let terms = Terms {
            pace: Pace {
                attack: random.pick(&[5, 10, 20]),
                deliver: random.pick(&[5, 10, 20]),
                act: random.pick(&[1, 10, 40]),
                transmit: random.pick(&[0, 2, 5]),
                wait: random.pick(&[0, 1, 3]),
            },
            cut_after: if random.chance(15) {
                random.below(20_000)
            } else {
                usize::MAX
            },
            deaf: flaw == Some(Flaw::DeafToCredit),
        };
        let adversary = Adversary::new(target, temper(&mut random));
        let duel = Duel::new(adversary, terms, &mut random);
        Arena { random, duel }
    }

    pub(crate) fn run(&mut self, trace: &mut Trace) {
        let Self { random, duel } = self;
        let steps = 50 + random.below(900);
        for _ in 0..steps {
            if !duel.step(random, &mut |line| trace.step(line)) {
                break;
            }
        }
        duel.finish(&mut |line| trace.step(line));
    }
}
