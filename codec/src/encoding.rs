//! Names of message encodings and their negotiation (gRPC `compression.md`).

use std::fmt;

/// How the bytes of a message are encoded. Only [`Encoding::Identity`] is implemented now; the
/// others are known by name so that an answer can say which one was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// As they are.
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

impl Encoding {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// The encoding of that name, if it is known here.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let known = NAMES.iter().find(|(text, _)| text.as_bytes() == name);
        known.map(|&(_, encoding)| encoding)
    }

    /// Whether messages in this encoding can be read and written here.
    pub const fn is_supported(self) -> bool {
        Encodings::SUPPORTED.contains(self)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of encodings: what a peer accepts. It always has [`Encoding::Identity`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encodings(u8);

impl Encodings {
    /// Identity alone: what a peer accepts that says nothing.
    pub const IDENTITY: Self = Self(1);

    /// What is implemented here.
    pub const SUPPORTED: Self = Self::IDENTITY;

    /// The `grpc-accept-encoding` value that says [`Encodings::SUPPORTED`].
    pub const SUPPORTED_TEXT: &'static str = "identity";

    /// Reads a `grpc-accept-encoding` value: names between commas; unknown ones are left out.
    pub fn parse(list: &[u8]) -> Self {
        list.split(|&byte| byte == b',')
            .filter_map(|name| Encoding::parse(name.trim_ascii()))
            .fold(Self::IDENTITY, |set, encoding| {
                Self(set.0 | 1 << encoding as u8)
            })
    }

    /// Whether the set has `encoding`.
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
        assert_eq!(
            Encodings::parse(Encodings::SUPPORTED_TEXT.as_bytes()),
            Encodings::SUPPORTED
        );
    }

    #[test]
    fn lists_are_read_leniently() {
        let set = Encodings::parse(b"gzip , br,,\tzstd");
        assert_eq!(format!("{set:?}"), r#"{"identity", "gzip", "zstd"}"#);
        assert_eq!(Encodings::parse(b""), Encodings::default());
    }
}
