//! A decoder that is not ours.

use crate::source::Pair;

/// `httlib-hpack`, which also brings the stories.
pub struct Peer(httlib_hpack::Decoder<'static>);

impl Peer {
    /// A decoder for a table of this size in bytes.
    pub fn new(table_bytes: usize) -> Self {
        Self(httlib_hpack::Decoder::with_dynamic_size(table_bytes as u32))
    }

    /// Sets the table size in bytes that this decoder has announced, from the next block on.
    pub fn set_table_bytes_max(&mut self, bytes: usize) {
        self.0.set_max_dynamic_size(bytes as u32);
    }

    /// The fields of one block.
    pub fn decode(&mut self, block: &[u8]) -> Result<Vec<Pair>, String> {
        let (mut input, mut fields) = (block.to_vec(), Vec::new());
        let decoded = self.0.decode(&mut input, &mut fields);
        decoded.map_err(|error| format!("{error:?}"))?;
        let pairs = fields
            .into_iter()
            .map(|(name, value, _flags)| (name, value));
        Ok(pairs.collect())
    }
}
