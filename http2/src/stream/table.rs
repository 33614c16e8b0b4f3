//! Open streams in a slab, found by identifier through a small open-addressed index.
//!
//! Identifiers of one side rise by two, so `(id >> 1) & mask` is a direct map as long as the open
//! streams lie close together; long-lived ones only cost a probe.

use alloc::vec::Vec;

use super::{Stream, StreamKey};

/// Index cell: the place of a stream; identifier 0 stands for a vacant cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    id: u32,
    slot: u32,
}

/// Table of all open streams of a connection.
#[derive(Debug, Default)]
pub(crate) struct StreamTable {
    slots: Vec<Stream>,
    free: Vec<u32>,
    /// Index cells: a power of two, at most half full. Cells are ordered by their distance from
    /// home (Robin Hood hashing), so that a search and a removal end at the first cell that is at
    /// home.
    index: Vec<Cell>,
}

impl StreamTable {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns the distance of the cell at `at` from the home of `id`.
    fn distance(&self, id: u32, at: usize) -> usize {
        at.wrapping_sub((id >> 1) as usize) & (self.index.len() - 1)
    }

    pub(crate) fn insert(&mut self, stream: Stream) -> StreamKey {
        debug_assert!(self.find(stream.id).is_none());
        if (self.len() + 1) * 2 > self.index.len() {
            self.rebuild(((self.len() + 1) * 4).next_power_of_two());
        }
        let id = stream.id;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = stream;
                slot
            }
            None => {
                self.slots.push(stream);
                (self.slots.len() - 1) as u32
            }
        };
        self.link(Cell { id, slot });
        StreamKey { slot, id }
    }

    fn link(&mut self, mut cell: Cell) {
        let mask = self.index.len() - 1;
        let mut at = (cell.id >> 1) as usize & mask;
        while self.index[at].id != 0 {
            if self.distance(self.index[at].id, at) < self.distance(cell.id, at) {
                core::mem::swap(&mut self.index[at], &mut cell);
            }
            at = (at + 1) & mask;
        }
        self.index[at] = cell;
    }

    fn rebuild(&mut self, capacity: usize) {
        let before = core::mem::take(&mut self.index);
        self.index.resize(capacity, Cell::default());
        for cell in before.into_iter().filter(|cell| cell.id != 0) {
            self.link(cell);
        }
    }

    fn position(&self, id: u32) -> Option<usize> {
        if self.index.is_empty() || id == 0 {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut at = (id >> 1) as usize & mask;
        loop {
            let cell = self.index[at];
            if cell.id == id {
                return Some(at);
            }
            if cell.id == 0 || self.distance(cell.id, at) < self.distance(id, at) {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    pub(crate) fn find(&self, id: u32) -> Option<StreamKey> {
        self.position(id).map(|at| StreamKey {
            slot: self.index[at].slot,
            id,
        })
    }

    /// Returns the stream, unless the key is stale.
    pub(crate) fn at(&self, key: StreamKey) -> Option<&Stream> {
        self.slots
            .get(key.slot as usize)
            .filter(|stream| stream.id == key.id)
    }

    /// Returns the stream to change it, unless the key is stale.
    pub(crate) fn at_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.slots
            .get_mut(key.slot as usize)
            .filter(|stream| stream.id == key.id)
    }

    pub(crate) fn remove(&mut self, key: StreamKey) -> bool {
        let Some(mut hole) = self.position(key.id) else {
            return false;
        };
        let mask = self.index.len() - 1;
        loop {
            let next = (hole + 1) & mask;
            let cell = self.index[next];
            if cell.id == 0 || self.distance(cell.id, next) == 0 {
                break;
            }
            self.index[hole] = cell;
            hole = next;
        }
        self.index[hole] = Cell::default();
        let stream = &mut self.slots[key.slot as usize];
        stream.id = 0;
        stream.queue = None;
        self.free.push(key.slot);
        true
    }

    /// Iterates over all open streams with their keys, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamKey, &mut Stream)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter(|(_, stream)| stream.id != 0)
            .map(|(slot, stream)| {
                (
                    StreamKey {
                        slot: slot as u32,
                        id: stream.id,
                    },
                    stream,
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ReceiveWindow, Window};
    use crate::stream::State;

    fn stream(id: u32) -> Stream {
        Stream {
            id,
            number: 0,
            state: State::Open,
            head_received: false,
            listed: false,
            held: 0,
            extra: 0,
            wants: 0,
            send_window: Window::new(0),
            receive_window: ReceiveWindow::new(0),
            content_left: None,
            queue: None,
        }
    }

    #[test]
    fn streams_are_found_while_open_and_never_after() {
        let mut table = StreamTable::default();
        let mut open: Vec<StreamKey> = Vec::new();
        let mut seed = 7u32;
        for round in 0..4000u32 {
            open.push(table.insert(stream(round * 2 + 1)));
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if seed & 0x300 != 0 && open.len() > 3 {
                let key = open.swap_remove(seed as usize % open.len());
                assert!(table.remove(key));
                assert!(!table.remove(key));
                assert_eq!(table.find(key.id), None);
                assert!(table.at(key).is_none());
            }
            assert_eq!(table.len(), open.len());
        }
        for key in &open {
            assert_eq!(table.find(key.id), Some(*key));
        }
        assert_eq!(table.iter_mut().count(), open.len());
    }
}
