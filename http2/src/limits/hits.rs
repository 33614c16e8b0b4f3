//! Counters of exceeded limits.

use super::Limit;

/// Number of hits of each [`Limit`]. A limit that ends the connection counts once; one that refuses
/// a stream counts for every stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitHits([u64; Limit::ALL.len()]);

impl LimitHits {
    /// No limit was exceeded.
    pub const NONE: Self = Self([0; Limit::ALL.len()]);

    /// Returns the number of times `limit` was exceeded.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Adds `times` to the count of `limit`.
    pub fn add(&mut self, limit: Limit, times: u64) {
        let count = &mut self.0[limit as usize];
        *count = count.saturating_add(times);
    }

    /// Iterates over all limits with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL.iter().map(|&limit| (limit, self.of(limit)))
    }
}

impl Default for LimitHits {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_a_count_of_its_own() {
        let mut hits = LimitHits::NONE;
        for (times, &limit) in Limit::ALL.iter().enumerate() {
            hits.add(limit, times as u64);
            hits.add(limit, 1);
        }
        let counts = hits.iter().map(|(_, count)| count);
        assert!(counts.eq(1..=Limit::ALL.len() as u64));
        hits.add(Limit::Resets, u64::MAX);
        assert_eq!(hits.of(Limit::Resets), u64::MAX);
    }
}
