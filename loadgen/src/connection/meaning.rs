//! What header blocks mean: read once, then looked up.

use corespun_http2::{Block, Connection, MEMO_SLOTS};

use crate::response::{Head, Trailers};

/// The meanings of the blocks that HTTP/2 remembers, by memo slot.
pub(super) struct Meanings {
    heads: [Head; MEMO_SLOTS],
    trailers: [Trailers; MEMO_SLOTS],
}

impl Default for Meanings {
    fn default() -> Self {
        Self {
            heads: [Head::NONE; MEMO_SLOTS],
            trailers: [Trailers::NONE; MEMO_SLOTS],
        }
    }
}

impl Meanings {
    /// What the block at hand means as a response's head.
    pub(super) fn head(&mut self, block: Block, http2: &Connection) -> Head {
        match block {
            Block::Seen { memo } => self.heads[usize::from(memo)],
            Block::New { memo } => {
                let head = Head::read(http2.headers());
                if let Some(memo) = memo {
                    self.heads[usize::from(memo)] = head;
                    // A block is told as new only once, and trailers-only heads may come again
                    // as trailers.
                    self.trailers[usize::from(memo)] = Trailers::read(http2.headers());
                }
                head
            }
        }
    }

    /// What the block at hand means as trailers.
    pub(super) fn trailers(&mut self, block: Block, http2: &Connection) -> Trailers {
        match block {
            Block::Seen { memo } => self.trailers[usize::from(memo)],
            Block::New { memo } => {
                let trailers = Trailers::read(http2.headers());
                if let Some(memo) = memo {
                    self.trailers[usize::from(memo)] = trailers;
                    self.heads[usize::from(memo)] = Head::read(http2.headers());
                }
                trailers
            }
        }
    }
}
