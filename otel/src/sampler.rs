//! Sampling: the decision to record a trace.

use corespun_codec::{TraceContext, TraceId};

/// Sampling decision: records a ratio of the traces that begin here, and follows the decision of
/// the caller for other traces. The ratio is applied to the trace id, so that all services with the
/// same ratio decide alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Exclusive upper bound of the numbers of recorded traces; numbers have 63 bits.
    bound: u64,
    /// True if the decision of the caller is followed.
    follows: bool,
}

/// Largest number of a trace plus one.
const NUMBERS: f64 = (1u64 << 63) as f64;

impl Sampler {
    /// Records all traces that begin here.
    pub const ALWAYS: Self = Self::below(1 << 63);

    /// Records no trace that begins here.
    pub const NEVER: Self = Self::below(0);

    /// Records this ratio of the traces that begin here: 0.01 is one in a hundred. A value outside
    /// of 0 to 1 counts as the nearest bound.
    pub fn ratio(ratio: f64) -> Self {
        Self::below((ratio.clamp(0.0, 1.0) * NUMBERS) as u64)
    }

    /// Applies to traces of callers too, whatever their decision is.
    pub const fn regardless(self) -> Self {
        Self {
            follows: false,
            ..self
        }
    }

    const fn below(bound: u64) -> Self {
        Self {
            bound,
            follows: true,
        }
    }

    /// Returns true if a span of this trace, with this parent, is recorded.
    pub fn samples(self, parent: Option<&TraceContext>, trace_id: TraceId) -> bool {
        match parent {
            Some(parent) if self.follows => parent.is_sampled(),
            _ => number(trace_id) < self.bound,
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::ALWAYS
    }
}

/// Returns the number of a trace: the lower half of its id, which is random, without the last bit.
fn number(trace_id: TraceId) -> u64 {
    (u128::from_be_bytes(trace_id.to_bytes()) as u64) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use corespun_codec::SpanId;

    fn trace(number: u64) -> TraceId {
        TraceId::from_bytes((1 << 64 | u128::from(number)).to_be_bytes()).unwrap()
    }

    #[test]
    fn both_sides_of_the_ratio() {
        let check = |ratio: f64, number: u64, expected: bool| {
            let sampled = Sampler::ratio(ratio).samples(None, trace(number));
            assert_eq!(sampled, expected, "{ratio} of {number:x}");
        };
        let half = 1 << 63;
        for (ratio, number, expected) in [
            (0.0, 0, false),
            (-1.0, 0, false),
            (f64::NAN, 0, false),
            (0.5, half - 1, true),
            (0.5, half, false),
            (1.0, u64::MAX, true),
            (7.0, u64::MAX, true),
        ] {
            check(ratio, number, expected);
        }
        assert_eq!(Sampler::ratio(1.0), Sampler::ALWAYS);
        assert_eq!(Sampler::ratio(0.0), Sampler::NEVER);
    }

    #[test]
    fn a_share_is_about_its_share() {
        let mut random = fastrand::Rng::with_seed(7);
        let sampler = Sampler::ratio(0.25);
        let sampled = (0..100_000).filter(|_| sampler.samples(None, trace(random.u64(..))));
        let share = sampled.count() as f64 / 100_000.0;
        assert!((0.24..0.26).contains(&share), "{share}");
    }

    #[test]
    fn a_parent_has_decided() {
        let span = SpanId::from_bytes([1; 8]).unwrap();
        for decided in [false, true] {
            let parent = TraceContext::root(trace(0), span, decided);
            let sampler = if decided {
                Sampler::NEVER
            } else {
                Sampler::ALWAYS
            };
            assert_eq!(sampler.samples(Some(&parent), trace(0)), decided);
            let alone = sampler.regardless();
            assert_eq!(alone.samples(Some(&parent), trace(0)), !decided);
        }
    }
}
