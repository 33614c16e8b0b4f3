//! An encoded header block kept for as long as the encoder's table stands still.

const BLOCK_BYTES_MAX: usize = 62;

/// Remembers how one constant field list is encoded on one connection, so that repeating it costs
/// a copy of a few bytes: `:status 200` and `content-type` become two bytes, `grpc-status: 0` one.
///
/// Use one cache per connection and field list; the list must be the same at each use.
#[derive(Clone, Debug)]
pub struct BlockCache {
    epoch: u32,
    len: u8,
    bytes: [u8; BLOCK_BYTES_MAX],
}

impl Default for BlockCache {
    fn default() -> Self {
        Self {
            epoch: 0,
            len: 0,
            bytes: [0; BLOCK_BYTES_MAX],
        }
    }
}

impl BlockCache {
    /// Returns the block, or `None` if the encoder's table has changed since it was encoded.
    pub(crate) fn block(&self, epoch: u32) -> Option<&[u8]> {
        (self.len > 0 && self.epoch == epoch).then(|| &self.bytes[..usize::from(self.len)])
    }

    pub(crate) fn keep(&mut self, epoch: u32, block: &[u8]) {
        if block.len() <= BLOCK_BYTES_MAX {
            self.epoch = epoch;
            self.len = block.len() as u8;
            self.bytes[..block.len()].copy_from_slice(block);
        }
    }
}
