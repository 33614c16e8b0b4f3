//! A table of connections, addressed by slot and generation.

/// Names one connection of one shard: the slot says where, the generation says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnId {
    pub(crate) slot: u32,
    /// At most 24 bits, as that is what fits beside a slot and a tag in one `user_data`.
    pub(crate) generation: u32,
}

/// Generations count within these bits.
pub(crate) const GENERATION_MASK: u32 = 0x00ff_ffff;

impl ConnId {
    /// No connection: no table ever hands out generation 0.
    pub(crate) const DETACHED: Self = Self {
        slot: u32::MAX,
        generation: 0,
    };
}

/// Values in slots that are reused, each use under a generation of its own.
pub(crate) struct Slots<T> {
    entries: Vec<Option<(u32, T)>>,
    free: Vec<u32>,
    generation: u32,
}

impl<T> Slots<T> {
    /// An empty table whose generations start after `seed`, so that the handles of an earlier
    /// shard on the same thread do not fit this one.
    pub(crate) fn new(seed: u32) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            generation: seed & GENERATION_MASK,
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> ConnId {
        self.generation = (self.generation + 1) & GENERATION_MASK;
        if self.generation == 0 {
            self.generation = 1;
        }
        let generation = self.generation;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.entries.push(None);
                u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        let entry = &mut self.entries[slot as usize];
        assert!(entry.is_none(), "a free slot holds nothing");
        *entry = Some((generation, value));
        ConnId { slot, generation }
    }

    pub(crate) fn find(&mut self, id: ConnId) -> Option<&mut T> {
        match self.entries.get_mut(id.slot as usize)?.as_mut()? {
            (generation, value) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        self.find(id)?;
        let (_, value) = self.entries[id.slot as usize].take()?;
        self.free.push(id.slot);
        Some(value)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| {
            let (generation, _) = entry.as_ref()?;
            Some(ConnId {
                slot: slot as u32,
                generation: *generation,
            })
        })
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.free.clear();
        self.entries.drain(..).flatten().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnId, GENERATION_MASK, Slots};

    #[test]
    fn a_stale_id_finds_nothing() {
        let mut slots = Slots::new(7);
        let first = slots.insert('a');
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b');
        assert_eq!(first.slot, second.slot);
        assert_eq!(slots.find(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.find(second), Some(&mut 'b'));
        assert_eq!(slots.ids().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn generations_wrap_past_the_detached_one() {
        let mut slots = Slots::new(GENERATION_MASK);
        let id = slots.insert(());
        assert_eq!(id.generation, 1);
        assert!(slots.find(ConnId::DETACHED).is_none());
    }
}
