//! Mix of several methods with weights.

use fastrand::Rng;

use super::Call;
use crate::schedule::Share;

/// All calls of a run; never empty.
#[derive(Clone, Debug)]
pub struct Mix {
    calls: Vec<Call>,
    weight: u64,
}

impl Mix {
    /// Returns a mix of at least one call.
    pub(crate) fn new(calls: Vec<Call>) -> Self {
        debug_assert!(!calls.is_empty());
        let weight = calls.iter().map(|call| u64::from(call.weight)).sum();
        Self { calls, weight }
    }

    /// Returns the calls by index.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Returns the names of the methods, separated by commas.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.calls.iter().map(|call| call.method.name()).collect();
        names.join(", ")
    }

    /// Returns the smallest number of distinct requests among calls whose requests should be
    /// unique.
    pub(crate) fn repeats_after(&self) -> Option<usize> {
        self.calls
            .iter()
            .filter_map(|call| call.repeats_after)
            .min()
    }

    /// Returns true if a side of some call streams.
    pub fn streams(&self) -> bool {
        let unary = corespun_codec::Kind::Unary;
        self.calls.iter().any(|call| call.kind != unary)
    }
}

/// Choice of the next call and request of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    share: Share,
    rng: Rng,
    /// Number of times that each call was chosen on this connection.
    chosen: Vec<u64>,
}

impl Chooser {
    pub(crate) fn new(share: Share, mix: &Mix) -> Self {
        Self {
            share,
            rng: share.rng(),
            chosen: vec![0; mix.calls.len()],
        }
    }

    /// Returns the index of the next call in the mix, and its number among the calls of its method.
    /// Different connections never return the same number.
    pub(crate) fn next(&mut self, mix: &Mix) -> (usize, u64) {
        let place = match mix.calls.len() {
            1 => 0,
            _ => self.place(mix),
        };
        let number = self.share.lane as u64 + self.chosen[place] * self.share.lanes as u64;
        self.chosen[place] += 1;
        (place, number)
    }

    fn place(&mut self, mix: &Mix) -> usize {
        let mut point = self.rng.u64(0..mix.weight);
        for (place, call) in mix.calls.iter().enumerate() {
            match point.checked_sub(u64::from(call.weight)) {
                None => return place,
                Some(rest) => point = rest,
            }
        }
        unreachable!("the weights add up to more than any point")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chooser(lane: usize, mix: &Mix) -> Chooser {
        let share = Share {
            lane,
            lanes: 3,
            seed: 5,
        };
        Chooser::new(share, mix)
    }

    #[test]
    fn weights_are_kept_and_numbers_are_not_shared() {
        let mut calls = crate::plan::tests::plan("").unwrap().mix.calls.clone();
        calls.push(calls[0].clone());
        calls[1].weight = 3;
        let mix = Mix::new(calls);
        let (mut one, mut other) = (chooser(0, &mix), chooser(2, &mix));
        let picks: Vec<_> = (0..10_000).map(|_| one.next(&mix)).collect();
        let second = picks.iter().filter(|(place, _)| *place == 1).count();
        assert!((7200..=7800).contains(&second), "{second}");
        assert!(picks.iter().all(|(_, number)| number % 3 == 0));
        assert!((0..100).all(|_| other.next(&mix).1 % 3 == 2));
    }

    #[test]
    fn one_method_needs_no_choice() {
        let mix = crate::plan::tests::plan("").unwrap().mix;
        let mut chooser = chooser(1, &mix);
        assert_eq!([chooser.next(&mix), chooser.next(&mix)], [(0, 1), (0, 4)]);
        assert_eq!(
            (mix.name().as_str(), mix.streams()),
            ("user.UserService/GetUser", false)
        );
    }
}
