//! One connection against a peer that keeps to no rule, decision by decision.
//!
//! Where the decisions come from makes the difference: from a fuzzer's bytes or from a seed.

mod adversary;
pub(crate) mod ledger;
pub(crate) mod memory;
mod victim;
mod wire;

use core::fmt::Arguments;
use core::time::Duration;
use std::collections::VecDeque;

use corespun_http2::Role;

pub(crate) use adversary::{Adversary, Temper};
use victim::Victim;

/// A source of decisions.
pub(crate) trait Choice {
    /// A number below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize;

    /// True in so many of a hundred cases.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Relative frequency of each kind of step.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) attack: usize,
    pub(crate) deliver: usize,
    pub(crate) act: usize,
    pub(crate) transmit: usize,
    pub(crate) wait: usize,
}

/// Settings of a duel.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) pace: Pace,
    /// Bytes that pass before the link is cut.
    pub(crate) cut_after: usize,
    /// The checks overhear all credit: for a canary.
    pub(crate) deaf: bool,
}

/// The connection, its peer, and the bytes on their way.
pub(crate) struct Duel {
    victim: Victim,
    adversary: Adversary,
    flight: VecDeque<u8>,
    /// Bytes that still pass.
    cut_after: usize,
    pace: Pace,
}

impl Duel {
    pub(crate) fn new(adversary: Adversary, terms: Terms, choice: &mut impl Choice) -> Duel {
        Duel {
            victim: Victim::new(adversary.target, terms.deaf, choice),
            flight: adversary.hello(choice).into(),
            adversary,
            cut_after: terms.cut_after,
            pace: terms.pace,
        }
    }

    /// One step and the checks after it; false when the connection or the link is at its end.
    pub(crate) fn step(
        &mut self,
        choice: &mut impl Choice,
        note: &mut impl FnMut(Arguments<'_>),
    ) -> bool {
        let pace = self.pace;
        let shares = [
            pace.attack,
            pace.deliver,
            pace.act,
            pace.transmit,
            pace.wait,
        ];
        match share(choice, &shares) {
            0 => {
                self.adversary.raise(self.victim.opened());
                let room = self.victim.window().saturating_sub(self.flight.len());
                self.adversary.room = room;
                let (name, bytes) = self.adversary.attack(choice);
                note(format_args!("attack {name}, {} bytes", bytes.len()));
                self.flight.extend(bytes);
            }
            1 => self.deliver(choice, note),
            2 => note(format_args!("{}", self.victim.act(choice))),
            3 => note(format_args!("transmit {}", self.victim.transmit())),
            _ => {
                let pause = Duration::from_millis(choice.pick(&[1, 40, 900, 30_000]));
                self.victim.wait(pause);
                note(format_args!("wait {pause:?}"));
            }
        }
        self.victim.check();
        self.victim.failure().is_none() && self.cut_after > 0
    }

    fn deliver(&mut self, choice: &mut impl Choice, note: &mut impl FnMut(Arguments<'_>)) {
        if !self.victim.wants_input() {
            return note(format_args!("deliver nothing, the output is full"));
        }
        let most = choice.pick(&[1, 10, 300, 1 << 16]);
        let len = (1 + choice.below(most))
            .min(self.flight.len())
            .min(self.cut_after);
        self.cut_after -= len;
        let mut piece = Vec::with_capacity(len);
        take(&mut self.flight, len, &mut piece);
        let events = self.victim.receive(&piece);
        note(format_args!("deliver {len}, {events} events"));
    }

    /// Lets the rest arrive and everything end: nothing may be left then, and a connection that
    /// has survived serves the next lawful request.
    pub(crate) fn finish(&mut self, note: &mut impl FnMut(Arguments<'_>)) {
        let rest = self.flight.len().min(self.cut_after);
        let mut piece = Vec::with_capacity(rest);
        take(&mut self.flight, rest, &mut piece);
        self.victim.receive(&piece);
        self.victim.check();
        self.victim.end_all();
        self.victim.check();
        match self.victim.failure() {
            Some(error) => note(format_args!("finish, {error}")),
            None => note(format_args!("finish")),
        }
        if self.adversary.target == Role::Server
            && let Some(next) = self.victim.next_lawful_stream()
        {
            self.victim
                .serve(next, &self.adversary.lawful_request(next));
            note(format_args!("served {next}"));
        }
    }
}

/// Moves the first `len` bytes in flight to the end of `piece`, by the slice.
pub(crate) fn take(flight: &mut VecDeque<u8>, len: usize, piece: &mut Vec<u8>) {
    let (head, tail) = flight.as_slices();
    let from_head = len.min(head.len());
    piece.extend_from_slice(&head[..from_head]);
    piece.extend_from_slice(&tail[..len - from_head]);
    flight.drain(..len);
}

/// The place of one share, larger ones more often.
fn share(choice: &mut impl Choice, shares: &[usize]) -> usize {
    let mut at = choice.below(shares.iter().sum::<usize>().max(1));
    for (place, share) in shares.iter().enumerate() {
        match at.checked_sub(*share) {
            Some(rest) => at = rest,
            None => return place,
        }
    }
    0
}
