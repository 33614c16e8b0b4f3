//! The link: bytes in flight one way, in any pieces, late, stalled for a while, perhaps cut at any
//! byte while the other way goes on.

use std::collections::VecDeque;

use crate::duel;
use crate::random::Random;

/// One direction.
pub(crate) struct Link {
    flight: VecDeque<u8>,
    /// Bytes it takes before its sender must wait.
    capacity: usize,
    /// Bytes that still pass before it is cut.
    pub(crate) cut_after: Option<usize>,
    /// The receiver does not read.
    pub(crate) stalled: bool,
    /// It has carried something: the preface is through.
    pub(crate) started: bool,
}

impl Link {
    pub(crate) fn new(random: &mut Random) -> Link {
        let cut = random.chance(8);
        Link {
            flight: VecDeque::new(),
            capacity: [1_000, 64 << 10, 1 << 20][random.below(3)],
            cut_after: cut.then(|| random.below(30_000)),
            stalled: false,
            started: false,
        }
    }

    /// The sender may put more in.
    pub(crate) fn has_room(&self) -> bool {
        self.flight.len() < self.capacity
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.started |= !bytes.is_empty();
        self.flight.extend(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut_after == Some(0)
    }

    /// Some of the bytes in flight, in order, into `piece`.
    pub(crate) fn deliver(&mut self, random: &mut Random, piece: &mut Vec<u8>) {
        piece.clear();
        if self.stalled {
            return;
        }
        let most = [1, 10, 200, 5_000, 1 << 20][random.below(5)];
        let mut len = self.flight.len().min(1 + random.below(most));
        if let Some(left) = &mut self.cut_after {
            len = len.min(*left);
            *left -= len;
        }
        duel::take(&mut self.flight, len, piece);
    }
}
