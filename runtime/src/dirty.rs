//! Sockets that need attention in this turn, with the reasons.

use std::cell::RefCell;

use crate::slots::ConnId;

/// Reasons that a socket is dirty, as a set of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reasons(u8);

impl Reasons {
    /// Something happened: ask the protocol for output.
    pub(crate) const TRANSMIT: Self = Self(1);
    /// The handle was touched: call `advance` first.
    pub(crate) const TOUCH: Self = Self(2);
    /// The socket's timer fired: call `advance` if its deadline has really passed.
    pub(crate) const TIMER: Self = Self(4);
    /// The handle requested the close.
    pub(crate) const CLOSE: Self = Self(8);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[derive(Default)]
struct Marks {
    /// Generation (0 for none) and reasons of each slot.
    slots: Vec<(u32, Reasons)>,
    list: Vec<ConnId>,
}

/// List of the dirty sockets of a shard. Borrows are short, so any code may call in.
#[derive(Default)]
pub(crate) struct Dirty {
    marks: RefCell<Marks>,
}

impl Dirty {
    /// Allows `id` to be marked from now on.
    pub(crate) fn open(&self, id: ConnId) {
        let marks = &mut *self.marks.borrow_mut();
        let slot = id.slot as usize;
        if marks.slots.len() <= slot {
            marks.slots.resize(slot + 1, (0, Reasons::default()));
        }
        marks.slots[slot] = (id.generation, Reasons::default());
    }

    /// Ignores marks of `id` from now on.
    pub(crate) fn close(&self, id: ConnId) {
        if let Some(mark) = self.marks.borrow_mut().slots.get_mut(id.slot as usize)
            && mark.0 == id.generation
        {
            *mark = (0, Reasons::default());
        }
    }

    pub(crate) fn mark(&self, id: ConnId, reason: Reasons) {
        let marks = &mut *self.marks.borrow_mut();
        let Some((generation, reasons)) = marks.slots.get_mut(id.slot as usize) else {
            return;
        };
        if *generation != id.generation || id == ConnId::DETACHED {
            return;
        }
        if *reasons == Reasons::default() {
            marks.list.push(id);
        }
        reasons.0 |= reason.0;
    }

    pub(crate) fn touch(&self, id: ConnId) {
        self.mark(id, Reasons::TOUCH);
    }

    pub(crate) fn ask_close(&self, id: ConnId) {
        self.mark(id, Reasons::CLOSE);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marks.borrow().list.is_empty()
    }

    /// Returns the number of listed sockets.
    pub(crate) fn len(&self) -> usize {
        self.marks.borrow().list.len()
    }

    /// Swaps the list with `scratch`, which must be empty.
    pub(crate) fn swap(&self, scratch: &mut Vec<ConnId>) {
        debug_assert!(scratch.is_empty());
        std::mem::swap(&mut self.marks.borrow_mut().list, scratch);
    }

    /// Takes the reasons of `id`, so that a new mark lists it again.
    pub(crate) fn take(&self, id: ConnId) -> Reasons {
        match self.marks.borrow_mut().slots.get_mut(id.slot as usize) {
            Some((generation, reasons)) if *generation == id.generation => std::mem::take(reasons),
            _ => Reasons::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dirty, Reasons};
    use crate::slots::ConnId;

    #[test]
    fn a_socket_is_listed_once_with_all_its_reasons() {
        let dirty = Dirty::default();
        let id = ConnId {
            slot: 3,
            generation: 9,
        };
        dirty.touch(id);
        assert!(dirty.is_empty(), "not yet open");
        dirty.open(id);
        dirty.touch(id);
        dirty.mark(id, Reasons::TRANSMIT);
        let mut list = Vec::new();
        dirty.swap(&mut list);
        assert_eq!(list, [id]);
        let reasons = dirty.take(id);
        assert!(reasons.has(Reasons::TOUCH) && reasons.has(Reasons::TRANSMIT));
        assert!(!reasons.has(Reasons::CLOSE));
        dirty.close(id);
        dirty.touch(id);
        assert!(dirty.is_empty(), "closed");
    }
}
