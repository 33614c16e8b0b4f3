//! Choice of the next rate: doubled until one fails, then the middle of the gap.

/// Highest rate of a search, in calls per second; no generator offers more.
const RATE_MAX: f64 = 1e8;

/// Rate in calls per second below which the search reports that no rate meets the objective.
const RATE_MIN: f64 = 1.0;

/// Factor around the searched rate within which a rate is decided by two of three tries.
const NEAR: f64 = 1.25;

/// Rates that passed and failed so far.
#[derive(Debug)]
pub(super) struct Bracket {
    next: f64,
    precision: f64,
    held: Option<f64>,
    failed: Option<f64>,
    /// Number of tries of `next` that passed and that failed.
    tries: (u32, u32),
}

impl Bracket {
    /// Returns a bracket that starts at `first`, and ends when the rate is known to a share of
    /// `precision`.
    pub(super) fn new(first: f64, precision: f64) -> Self {
        Self {
            next: first.clamp(RATE_MIN, RATE_MAX),
            precision,
            held: None,
            failed: None,
            tries: (0, 0),
        }
    }

    /// Returns the highest rate that passed.
    pub(super) fn held(&self) -> Option<f64> {
        self.held
    }

    /// Returns the rate to try; `None` when the search has ended.
    pub(super) fn next(&self) -> Option<f64> {
        let done = match (self.held, self.failed) {
            (Some(held), Some(failed)) => failed <= held * (1.0 + self.precision),
            (None, Some(failed)) => failed <= RATE_MIN,
            (Some(held), None) => held >= RATE_MAX,
            (None, None) => false,
        };
        (!done).then_some(self.next)
    }

    /// Records the result of a rate.
    pub(super) fn tried(&mut self, rate: f64, held: bool) {
        debug_assert_eq!(rate, self.next);
        let tries = &mut self.tries;
        *if held { &mut tries.0 } else { &mut tries.1 } += 1;
        let wanted = if self.is_near(rate) { 2 } else { 1 };
        let (good, bad) = self.tries;
        if good.max(bad) < wanted {
            return;
        }
        match good > bad {
            true => self.held = Some(rate),
            false => self.failed = Some(rate),
        }
        self.tries = (0, 0);
        self.next = self.following();
    }

    fn is_near(&self, rate: f64) -> bool {
        let held = self.held.is_some_and(|held| rate <= held * NEAR);
        held && self.failed.is_some_and(|failed| failed <= rate * NEAR)
    }

    fn following(&self) -> f64 {
        let next = match (self.held, self.failed) {
            (Some(held), Some(failed)) => (held + failed) / 2.0,
            (Some(held), None) => held * 2.0,
            (None, Some(failed)) => failed / 2.0,
            (None, None) => self.next,
        };
        next.clamp(RATE_MIN, RATE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a target with a known highest rate; returns the result and the number of tries.
    fn search(first: f64, edge: f64) -> (Option<f64>, usize) {
        let mut bracket = Bracket::new(first, 0.05);
        let mut tries = 0;
        while let Some(rate) = bracket.next() {
            bracket.tried(rate, rate <= edge);
            tries += 1;
            assert!(tries < 100, "{bracket:?}");
        }
        (bracket.held(), tries)
    }

    #[test]
    fn the_edge_is_found_from_both_sides() {
        for (first, edge) in [(1000.0, 37_123.0), (1000.0, 90.0), (50.0, 50.0), (7.0, 3e6)] {
            let (held, tries) = search(first, edge);
            let held = held.unwrap();
            assert!(held <= edge && edge <= held * 1.05, "{edge}: {held}");
            assert!(tries <= 40, "{edge}: {tries} tries");
        }
        assert_eq!(search(1000.0, 0.5).0, None);
        assert_eq!(search(1000.0, f64::MAX).0, Some(RATE_MAX));
    }

    #[test]
    fn near_the_edge_one_bad_try_does_not_decide() {
        let mut bracket = Bracket::new(1000.0, 0.05);
        bracket.tried(1000.0, true);
        bracket.tried(2000.0, false);
        bracket.tried(1500.0, true);
        bracket.tried(1750.0, false);
        assert_eq!(bracket.next(), Some(1750.0), "it is tried again");
        bracket.tried(1750.0, true);
        bracket.tried(1750.0, true);
        assert_eq!(bracket.held(), Some(1750.0));
    }
}
