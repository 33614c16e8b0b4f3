//! Features of editions: defaults, and the changes by an item's options.

use crate::error::Error;
use crate::wire;

/// Edition 2023, the first.
pub(crate) const EDITION_2023: u64 = 1000;
/// Edition 2024, the newest that this crate knows. The defaults of the features read here equal
/// those of 2023.
pub(crate) const EDITION_2024: u64 = 1001;

/// Upper bound of the field numbers of Protobuf's own features; higher numbers belong to languages.
const LANGUAGES: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Explicit,
    Implicit,
    Required,
}

/// Features that are in force for an item.
#[derive(Clone, Copy)]
pub(crate) struct Features {
    pub(crate) presence: Presence,
    pub(crate) packed: bool,
    pub(crate) delimited: bool,
    /// True if unknown enum numbers are kept in the field (an open enum).
    pub(crate) open: bool,
}

impl Features {
    pub(crate) const DEFAULT: Self = Self {
        presence: Presence::Explicit,
        packed: true,
        delimited: false,
        open: true,
    };

    /// Returns the features after the options of an item are applied; `number` is the field number
    /// of its features.
    ///
    /// # Errors
    /// Text of a feature or value that is not known.
    pub(crate) fn with_options(self, options: &[u8], number: u64) -> Result<Self, Problem> {
        let mut features = self;
        for option in wire::fields(options)? {
            if option.number == number {
                for feature in wire::fields(option.bytes())? {
                    features.set(feature.number, feature.varint())?;
                }
            }
        }
        Ok(features)
    }

    fn set(&mut self, feature: u64, value: u64) -> Result<(), Problem> {
        let unknown = |name: &str| Err(Problem::Feature(format!("{name} = {value}")));
        match (feature, value) {
            (1, 1) => self.presence = Presence::Explicit,
            (1, 2) => self.presence = Presence::Implicit,
            (1, 3) => self.presence = Presence::Required,
            (1, _) => return unknown("field_presence"),
            (2, 1) => self.open = true,
            (2, 2) => self.open = false,
            (2, _) => return unknown("enum_type"),
            (3, 1) => self.packed = true,
            (3, 2) => self.packed = false,
            (3, _) => return unknown("repeated_field_encoding"),
            // Strings are verified anyway, as those of proto2 are: prost has no other.
            (4, 2 | 3) => {}
            (4, _) => return unknown("utf8_validation"),
            (5, 1) => self.delimited = false,
            (5, 2) => self.delimited = true,
            (5, _) => return unknown("message_encoding"),
            // How JSON is checked by a compiler, as proto2 does for the second.
            (6, 1 | 2) => {}
            (6, _) => return unknown("json_format"),
            // Naming style and visibility bind the schema's author, and nothing on the wire.
            (7 | 8, _) => {}
            (LANGUAGES.., _) => {}
            _ => return unknown(&format!("number {feature}")),
        }
        Ok(())
    }
}

/// Reason that an item is refused, before its name is known.
pub(crate) enum Problem {
    Feature(String),
    Other(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}
