//! Hierarchical timer wheel.
//!
//! Insert and cancel are O(1). Slots are coarse, but entries keep their exact deadline: a slot only
//! says where to look, so nothing fires early and nothing is rounded.

use std::time::Duration;

/// Width of a slot of the lowest level as a power of two: 2^16 ns, about 66 µs.
const TICK_SHIFT: u32 = 16;
const LEVEL_SHIFT: u32 = 6;
const LEVEL_SLOTS: usize = 1 << LEVEL_SHIFT;
/// Number of levels: seven levels of 64 slots reach 2^58 ns, nine years. Later deadlines are placed
/// again when the wheel gets there.
const LEVELS: usize = 7;
const REACH_BITS: u32 = LEVEL_SHIFT * LEVELS as u32;
/// Number of entries of a slot that are searched for the earliest one. A slot of a higher level
/// with more entries wakes the shard at its start instead, which is early but harmless.
const SEARCH_MAX: usize = 16;
const NONE: u32 = u32::MAX;

/// Key of one inserted timer; stale once the timer fired or was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    index: u32,
    sequence: u64,
}

struct Entry<T> {
    deadline: u64,
    sequence: u64,
    level: u8,
    slot: u8,
    previous: u32,
    next: u32,
    value: Option<T>,
}

#[derive(Clone, Copy)]
struct Level {
    occupied: u64,
    heads: [u32; LEVEL_SLOTS],
}

/// Timers of one shard, each with a value that is returned when its deadline has passed.
pub(crate) struct Wheel<T> {
    tick: u64,
    levels: [Level; LEVELS],
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    sequence: u64,
}

/// Occupied slot, with the tick at which it begins.
struct Place {
    level: usize,
    slot: usize,
    start: u64,
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<T> Wheel<T> {
    /// Creates an empty wheel. `seed` keeps keys of different wheels apart.
    pub(crate) fn new(now: Duration, seed: u64) -> Self {
        let empty = Level {
            occupied: 0,
            heads: [NONE; LEVEL_SLOTS],
        };
        Self {
            tick: nanoseconds(now) >> TICK_SHIFT,
            levels: [empty; LEVELS],
            entries: Vec::new(),
            free: Vec::new(),
            sequence: seed << 40,
        }
    }

    pub(crate) fn insert(&mut self, deadline: Duration, value: T) -> TimerKey {
        self.sequence += 1;
        let entry = Entry {
            deadline: nanoseconds(deadline),
            sequence: self.sequence,
            level: 0,
            slot: 0,
            previous: NONE,
            next: NONE,
            value: Some(value),
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = entry;
                index
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 timers")
            }
        };
        self.link(index);
        TimerKey {
            index,
            sequence: self.sequence,
        }
    }

    /// Removes a timer and returns its value; `None` if it fired or was cancelled already.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.find(key)?;
        self.unlink(key.index);
        self.release(key.index)
    }

    /// Returns the value of a timer that has not fired yet.
    pub(crate) fn find(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.sequence != key.sequence {
            return None;
        }
        entry.value.as_mut()
    }

    /// Moves everything due at `now` to `fired`.
    pub(crate) fn expire(&mut self, now: Duration, fired: &mut Vec<T>) {
        let now = nanoseconds(now);
        let target = (now >> TICK_SHIFT).max(self.tick);
        while let Some(place) = self.first() {
            if place.start > target {
                break;
            }
            self.tick = place.start;
            if place.level > 0 {
                self.cascade(&place);
                continue;
            }
            self.fire(&place, now, fired);
            if place.start == target {
                break;
            }
        }
        self.tick = target;
    }

    /// Returns the moment at which [`expire`](Self::expire) must be called next: never later than
    /// the earliest deadline, and equal to it except in a crowded slot far ahead.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let place = self.first()?;
        let limit = if place.level == 0 {
            usize::MAX
        } else {
            SEARCH_MAX
        };
        let start = place.start << TICK_SHIFT;
        let deadline = self.earliest(&place, limit).unwrap_or(start);
        Some(Duration::from_nanos(deadline))
    }

    /// Returns the earliest deadline in a slot, unless its list is longer than `limit`.
    fn earliest(&self, place: &Place, limit: usize) -> Option<u64> {
        let mut index = self.levels[place.level].heads[place.slot];
        let mut earliest = u64::MAX;
        for _ in 0..limit {
            let entry = &self.entries[index as usize];
            earliest = earliest.min(entry.deadline);
            index = entry.next;
            if index == NONE {
                return Some(earliest);
            }
        }
        None
    }

    /// Returns the occupied slot that begins first. Entries of a lower level are always earlier
    /// than those of a higher one, because they share the higher digits with the current tick.
    fn first(&self) -> Option<Place> {
        self.levels.iter().enumerate().find_map(|(level, ring)| {
            let shift = LEVEL_SHIFT * level as u32;
            let current = (self.tick >> shift) & (LEVEL_SLOTS as u64 - 1);
            let ahead = ring.occupied >> current;
            if ahead == 0 {
                return None;
            }
            let slot = current + u64::from(ahead.trailing_zeros());
            let above = self.tick >> (shift + LEVEL_SHIFT) << (shift + LEVEL_SHIFT);
            Some(Place {
                level,
                slot: slot as usize,
                start: (above | slot << shift).max(self.tick),
            })
        })
    }

    fn fire(&mut self, place: &Place, now: u64, fired: &mut Vec<T>) {
        let mut index = self.levels[place.level].heads[place.slot];
        while index != NONE {
            let next = self.entries[index as usize].next;
            if self.entries[index as usize].deadline <= now {
                self.unlink(index);
                fired.extend(self.release(index));
            }
            index = next;
        }
    }

    /// Moves the entries of a higher slot to lower levels, once the wheel has reached its start.
    fn cascade(&mut self, place: &Place) {
        let ring = &mut self.levels[place.level];
        let mut index = std::mem::replace(&mut ring.heads[place.slot], NONE);
        ring.occupied &= !(1 << place.slot);
        while index != NONE {
            let next = self.entries[index as usize].next;
            self.link(index);
            index = next;
        }
    }

    fn link(&mut self, index: u32) {
        let deadline = self.entries[index as usize].deadline;
        let reach = self.tick | ((1 << REACH_BITS) - 1);
        let tick = (deadline >> TICK_SHIFT).clamp(self.tick, reach);
        let differing = (tick ^ self.tick) | 1;
        let level = ((63 - differing.leading_zeros()) / LEVEL_SHIFT) as usize;
        let slot = ((tick >> (LEVEL_SHIFT * level as u32)) as usize) & (LEVEL_SLOTS - 1);
        debug_assert!(level < LEVELS);
        let ring = &mut self.levels[level];
        let head = std::mem::replace(&mut ring.heads[slot], index);
        ring.occupied |= 1 << slot;
        if head != NONE {
            self.entries[head as usize].previous = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.level = level as u8;
        entry.slot = slot as u8;
        entry.previous = NONE;
        entry.next = head;
    }

    fn unlink(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        let (level, slot) = (entry.level as usize, entry.slot as usize);
        let (previous, next) = (entry.previous, entry.next);
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous != NONE {
            self.entries[previous as usize].next = next;
            return;
        }
        let ring = &mut self.levels[level];
        debug_assert_eq!(ring.heads[slot], index);
        ring.heads[slot] = next;
        if next == NONE {
            ring.occupied &= !(1 << slot);
        }
    }

    fn release(&mut self, index: u32) -> Option<T> {
        self.free.push(index);
        self.entries[index as usize].value.take()
    }
}

#[cfg(test)]
#[path = "timer/tests.rs"]
mod tests;
