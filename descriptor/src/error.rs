//! Errors for a descriptor set.

use std::fmt;

/// Reason that a descriptor set is refused. The text completes "failed to read descriptors: …".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not Protobuf's binary form.
    NotProtobuf,
    /// A file is of an edition that this crate does not know.
    Edition {
        /// Name of the file.
        file: String,
        /// Number of the edition, such as 1000 for 2023.
        edition: u64,
    },
    /// A feature cannot be expressed in proto2 and proto3.
    Feature {
        /// Name of the file.
        file: String,
        /// Full name of the field, message, or enum, or empty for the whole file.
        item: String,
        /// Feature and value, such as `enum_type = 7`.
        feature: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProtobuf => f.write_str("the bytes are no descriptor set"),
            Self::Edition { file, edition } => write!(
                f,
                "{file}: edition {edition} is not supported; 1000 (2023) and 1001 (2024) are"
            ),
            Self::Feature {
                file,
                item,
                feature,
            } => {
                let of = if item.is_empty() { "" } else { ": " };
                write!(
                    f,
                    "{file}{of}{item}: the feature {feature} has no equivalent in proto2 and proto3"
                )
            }
        }
    }
}

impl std::error::Error for Error {}
