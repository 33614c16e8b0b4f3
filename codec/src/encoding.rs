//! Message encodings by name, and their negotiation (gRPC `compression.md`).

use std::fmt;

/// Encoding of the bytes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// Not compressed.
    #[default]
    Identity = 0,
    /// gzip (RFC 1952).
    Gzip = 1,
    /// zlib (RFC 1950), which gRPC calls deflate.
    Deflate = 2,
    /// Zstandard (RFC 8878).
    Zstd = 3,
}

const NAMES: [(&str, Encoding); 4] = [
    ("identity", Encoding::Identity),
    ("gzip", Encoding::Gzip),
    ("deflate", Encoding::Deflate),
    ("zstd", Encoding::Zstd),
];

/// `grpc-accept-encoding` text of each set, indexed by its bits above that of identity.
const LISTS: [&str; 8] = [
    "identity",
    "identity,gzip",
    "identity,deflate",
    "identity,gzip,deflate",
    "identity,zstd",
    "identity,gzip,zstd",
    "identity,deflate,zstd",
    "identity,gzip,deflate,zstd",
];

impl Encoding {
    /// Returns the name used on the wire.
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// Returns the encoding with that name, if it is supported.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let known = NAMES.iter().find(|(text, _)| text.as_bytes() == name);
        known.map(|&(_, encoding)| encoding)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of encodings that a peer accepts. It always contains [`Encoding::Identity`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encodings(u8);

impl Encodings {
    /// Identity alone: the set of a peer that sends no `grpc-accept-encoding`.
    pub const IDENTITY: Self = Self(1);

    /// All supported encodings.
    pub const ALL: Self = Self(0b1111);

    /// Returns the set of identity and one other encoding.
    pub const fn only(encoding: Encoding) -> Self {
        Self::IDENTITY.with(encoding)
    }

    /// Returns the set with one more encoding.
    pub const fn with(self, encoding: Encoding) -> Self {
        Self(self.0 | 1 << encoding as u8)
    }

    /// Returns the `grpc-accept-encoding` value for the set.
    pub const fn text(self) -> &'static str {
        LISTS[self.0 as usize >> 1]
    }

    /// Parses a `grpc-accept-encoding` value: names separated by commas; unknown ones are ignored.
    pub fn parse(list: &[u8]) -> Self {
        list.split(|&byte| byte == b',')
            .filter_map(|name| Encoding::parse(name.trim_ascii()))
            .fold(Self::IDENTITY, Self::with)
    }

    /// Returns `true` if the set contains `encoding`.
    pub const fn contains(self, encoding: Encoding) -> bool {
        self.0 & 1 << encoding as u8 != 0
    }
}

impl Default for Encodings {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = NAMES
            .iter()
            .filter(|(_, encoding)| self.contains(*encoding));
        f.debug_set().entries(held.map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for (number, (name, encoding)) in NAMES.into_iter().enumerate() {
            assert_eq!(encoding as usize, number);
            assert_eq!(encoding.name(), name);
            assert_eq!(Encoding::parse(name.as_bytes()), Some(encoding));
        }
        assert_eq!(Encoding::parse(b"GZIP"), None);
        for bits in 0..8 {
            let set = Encodings(bits << 1 | 1);
            assert_eq!(Encodings::parse(set.text().as_bytes()), set);
        }
        let all = NAMES
            .into_iter()
            .fold(Encodings::IDENTITY, |set, (_, one)| set.with(one));
        assert_eq!(
            (all, Encodings::only(Encoding::Zstd).text()),
            (Encodings::ALL, LISTS[4])
        );
    }

    #[test]
    fn lists_are_read_leniently() {
        let set = Encodings::parse(b"gzip , br,,\tzstd");
        assert_eq!(format!("{set:?}"), r#"{"identity", "gzip", "zstd"}"#);
        assert_eq!(Encodings::parse(b""), Encodings::default());
    }
}
