//! HPACK, RFC 7541: header blocks to [`HeaderList`]s and back.
//!
//! ```text
//! block bytes ── integer, huffman ──> decode ──> HeaderList
//!                                       │ │
//!                           static_table   table (dynamic)
//!                                       │ │
//! block bytes <── integer, huffman ── encode <── Field, Field, …
//! ```
//!
//! Each connection owns one [`Decoder`] and one [`Encoder`]. Both count the changes of their
//! dynamic table in an epoch: as long as it stands still, the same bytes mean the same fields, so
//! blocks may be remembered on either side.
//!
//! [`HeaderList`]: crate::headers::HeaderList

use core::fmt;

mod decode;
mod encode;
mod huffman;
mod huffman_table;
mod integer;
mod parts;
mod static_table;
mod table;
#[cfg(test)]
mod tests;

pub use decode::{Decoded, Decoder, ListLimits};
pub use encode::{Encoder, Field, Indexing};

/// Initial size of the dynamic table at both ends (RFC 9113 §6.5.2), in bytes.
pub const TABLE_BYTES_DEFAULT: usize = 4096;

/// Reason that a header block could not be decoded.
///
/// All but [`HpackError::TooLarge`] and [`HpackError::TooManyFields`] are connection errors of
/// type COMPRESSION_ERROR (RFC 9113 §4.3); after any of them the decoder's table is no longer the
/// peer's, so the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HpackError {
    /// The block ends inside a field (RFC 7541 §6).
    Truncated,
    /// An integer exceeds 2^32 − 1 or is spread over too many bytes (RFC 7541 §5.1).
    IntegerOverflow,
    /// This index is 0 or past the end of the dynamic table (RFC 7541 §2.3.3, §6.1).
    InvalidIndex(u32),
    /// A Huffman-coded string holds the end-of-string symbol (RFC 7541 §5.2).
    HuffmanEndOfString,
    /// A Huffman-coded string's padding is longer than 7 bits or not all ones (RFC 7541 §5.2).
    HuffmanPadding,
    /// A table size update comes after a field (RFC 7541 §4.2).
    SizeUpdateMisplaced,
    /// A block starts with more than two table size updates (RFC 7541 §4.2).
    SizeUpdateRepeated,
    /// A table size update exceeds what this end announced (RFC 7541 §6.3).
    SizeUpdateTooLarge {
        /// Size that the peer asked for, in bytes.
        bytes: u32,
        /// Size that this end allows, in bytes.
        bytes_max: usize,
    },
    /// The peer acknowledged a smaller table but did not shrink its own (RFC 7541 §4.2).
    SizeUpdateMissing {
        /// Size that this end allows, in bytes.
        bytes_max: usize,
    },
    /// The block exceeds [`ListLimits::bytes_hard`].
    TooLarge,
    /// The block exceeds [`ListLimits::fields_hard`].
    TooManyFields,
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to decode a header block: ")?;
        match self {
            HpackError::Truncated => f.write_str("it ends inside a field"),
            HpackError::IntegerOverflow => f.write_str("an integer is too large"),
            HpackError::InvalidIndex(index) => write!(f, "no table entry has index {index}"),
            HpackError::HuffmanEndOfString => {
                f.write_str("a Huffman string holds the end-of-string symbol")
            }
            HpackError::HuffmanPadding => {
                f.write_str("a Huffman string's padding is over 7 bits or not all ones")
            }
            HpackError::SizeUpdateMisplaced => {
                f.write_str("a table size update comes after a field")
            }
            HpackError::SizeUpdateRepeated => {
                f.write_str("more than two table size updates start it")
            }
            HpackError::SizeUpdateTooLarge { bytes, bytes_max } => {
                write!(
                    f,
                    "a table size update to {bytes} bytes exceeds the limit of {bytes_max}"
                )
            }
            HpackError::SizeUpdateMissing { bytes_max } => {
                write!(
                    f,
                    "the table size update to at most {bytes_max} bytes is missing"
                )
            }
            HpackError::TooLarge => f.write_str("it exceeds the hard limit on bytes"),
            HpackError::TooManyFields => f.write_str("it exceeds the hard limit on fields"),
        }
    }
}

impl core::error::Error for HpackError {}
