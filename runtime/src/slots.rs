//! Table of connections, addressed by slot and generation.

/// Identifier of one connection of one shard: the slot is the index, the generation tells its uses
/// apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnId {
    pub(crate) slot: u32,
    /// Generation of the slot, at most 24 bits: so many fit next to a slot and a tag in one
    /// `user_data`.
    pub(crate) generation: u32,
}

/// Mask of the bits in which generations count.
pub(crate) const GENERATION_MASK: u32 = 0x00ff_ffff;

impl ConnId {
    /// Identifier of no connection: no table uses generation 0.
    pub(crate) const DETACHED: Self = Self {
        slot: u32::MAX,
        generation: 0,
    };
}

/// Table of values in slots that are reused, with a new generation for each use.
pub(crate) struct Slots<T> {
    entries: Vec<Option<(u32, T)>>,
    free: Vec<u32>,
    generation: u32,
}

impl<T> Slots<T> {
    /// Creates an empty table whose generations start after `seed`, so that handles of an earlier
    /// shard on the thread are not valid here.
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
