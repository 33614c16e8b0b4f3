//! Ids of new traces and spans.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use corespun_codec::{SpanId, TraceContext, TraceId};
use fastrand::Rng;

use crate::sampler::Sampler;

/// Generator of random ids for one shard, seeded by the system.
pub(crate) struct Ids(RefCell<Rng>);

impl Ids {
    pub(crate) fn new() -> Self {
        // The one source of the system's randomness that std has.
        let seed = RandomState::new().build_hasher().finish();
        Self(RefCell::new(Rng::with_seed(seed)))
    }

    /// Returns the context of a new span: a child of its parent, or the root of a new trace.
    pub(crate) fn follow(&self, parent: Option<&TraceContext>, sampler: Sampler) -> TraceContext {
        let span_id = self.draw(SpanId::from_bytes);
        match parent {
            Some(parent) => {
                let sampled = sampler.samples(Some(parent), parent.trace_id());
                parent.child(span_id, sampled)
            }
            None => {
                let trace_id = self.draw(TraceId::from_bytes);
                TraceContext::root(trace_id, span_id, sampler.samples(None, trace_id))
            }
        }
    }

    /// Draws random bytes until they are a valid id; only the all-zero pattern is not.
    fn draw<const N: usize, T>(&self, name: fn([u8; N]) -> Option<T>) -> T {
        let mut random = self.0.borrow_mut();
        loop {
            let mut bytes = [0; N];
            random.fill(&mut bytes);
            if let Some(made) = name(bytes) {
                return made;
            }
        }
    }
}
